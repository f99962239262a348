//! Arguments of probes: each an object with one of many keys.

use super::super::json::Json;
use super::super::words::{access_of, port, scalar};
use agentprov_model::Access;
use agentprov_model::special::Destination;

/// Arguments of a probed function.
pub(super) struct Arguments<'j> {
    items: &'j [Json<'j>],
}

/// Both ends of a socket.
pub(super) struct SocketEnds {
    pub(super) other: Destination,
    pub(super) local: Destination,
    pub(super) protocol: Option<String>,
}

const O_WRONLY: i128 = 1;
const O_RDWR: i128 = 2;
const O_ACCMODE: i128 = 3;

impl<'j> Arguments<'j> {
    pub(super) fn of(body: &'j Json<'j>) -> Self {
        Self { items: body.get("args").map(Json::items).unwrap_or_default() }
    }

    /// The path of this ordinal. Old samples lack the leading slash of resolved paths.
    pub(super) fn path(&self, ordinal: usize) -> Option<&'j str> {
        let paths = self.items.iter().filter_map(|item| {
            let resolved = ["file_arg", "path_arg", "linux_binprm_arg"].iter().find_map(|key| item.at(&[key, "path"]));
            resolved.or_else(|| item.get("string_arg")).and_then(Json::text)
        });
        paths.into_iter().nth(ordinal)
    }

    fn numbers(&self) -> impl Iterator<Item = i128> + '_ {
        self.items.iter().filter_map(|item| {
            ["int_arg", "uint_arg", "long_arg", "size_arg"].iter().find_map(|key| item.get(key)).and_then(Json::integer)
        })
    }

    /// The first number.
    pub(super) fn number(&self) -> Option<i64> {
        self.numbers().next().and_then(|number| i64::try_from(number).ok())
    }

    /// The second number.
    pub(super) fn second_number(&self) -> Option<i64> {
        self.numbers().nth(1).and_then(|number| i64::try_from(number).ok())
    }

    /// What an open asked for: the number behind the path, or the flags of the file.
    pub(super) fn open_flags(&self) -> (Access, Option<String>) {
        let words = self.items.iter().find_map(|item| {
            ["file_arg", "path_arg"].iter().find_map(|key| item.at(&[key, "flags"])).and_then(Json::text)
        });
        if let Some(words) = words {
            return (access_of(words), Some(words.to_owned()));
        }
        // openat's first number is the directory, which is negative or small; the flags come after the path.
        let path_at = self.items.iter().position(|item| item.get("string_arg").is_some()).unwrap_or(0);
        let behind = Self { items: self.items.get(path_at + 1..).unwrap_or_default() };
        let flags = behind.numbers().next();
        match flags {
            Some(flags) => {
                let access = match flags & O_ACCMODE {
                    O_WRONLY => Access::Write,
                    O_RDWR => Access::ReadWrite,
                    _ => Access::Read,
                };
                (access, Some(format!("{flags:#x}")))
            }
            None => (Access::Read, None),
        }
    }

    /// Ends of the first socket or socket address.
    pub(super) fn socket(&self) -> Option<SocketEnds> {
        self.items.iter().find_map(|item| {
            if let Some(socket) = item.get("sock_arg").or_else(|| item.get("skb_arg")) {
                return Some(SocketEnds {
                    other: end(socket, "daddr", "dport")?,
                    local: end(socket, "saddr", "sport").unwrap_or_default(),
                    protocol: scalar(socket.get("protocol")),
                });
            }
            let address = item.get("sockaddr_arg")?;
            Some(SocketEnds { other: end(address, "addr", "port")?, local: Destination::default(), protocol: None })
        })
    }
}

fn end(socket: &Json<'_>, address: &str, port_key: &str) -> Option<Destination> {
    let mut end = Destination::parse(socket.get(address)?.text()?);
    end.port = port(socket.get(port_key)).or(end.port);
    Some(end)
}
