//! Where clients connect: who is at the other end of a connection is asked once, when it is taken.

use super::scribe::{Caller, Desk};
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use tokio::net::{TcpListener, TcpStream};

/// Takes connections.
pub(super) struct Door {
    listener: TcpListener,
    desk: Desk,
}

impl Door {
    pub(super) const fn new(listener: TcpListener, desk: Desk) -> Self {
        Self { listener, desk }
    }
}

impl Listener for Door {
    type Io = TcpStream;
    type Addr = Caller;

    async fn accept(&mut self) -> (TcpStream, Caller) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Without it small pieces of a stream would wait for one another; the call goes on all the same.
        let _ = stream.set_nodelay(true);
        (stream, self.desk.connected(address))
    }

    fn local_addr(&self) -> io::Result<Caller> {
        Ok(Caller::default())
    }
}

impl Connected<IncomingStream<'_, Door>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}
