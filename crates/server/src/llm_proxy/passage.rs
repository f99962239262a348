//! One call on its way: bytes pass, a copy is read, and whichever way it ends is told once.

use super::Prompts;
use super::scribe::{Caller, Desk};
use agentprov_ingest::llm::ReplyReader;
use agentprov_model::OsBytes;
use agentprov_model::declared::RunningText;
use agentprov_model::llm::{LlmCall, LlmOutcome, LlmReply, LlmVendor};
use agentprov_model::mcp::Body as Named;
use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// A text is kept up to this length: a request and a response together fit into a record.
const LONGEST_KEPT: usize = 32 << 10;

/// A text that passes: its name, and its beginning where texts are kept.
pub(super) struct Text {
    running: RunningText,
    kept: Option<Vec<u8>>,
}

impl Text {
    pub(super) fn new(desk: &Desk, prompts: Prompts) -> Self {
        Self { running: desk.text(), kept: (prompts == Prompts::Kept).then(Vec::new) }
    }

    fn take(&mut self, piece: &[u8]) {
        self.running.update(piece);
        if let Some(kept) = &mut self.kept {
            let room = LONGEST_KEPT.saturating_sub(kept.len()).min(piece.len());
            kept.extend_from_slice(&piece[..room]);
        }
    }

    fn named(&self) -> Named {
        Named { digest: self.running.digest(), kept: self.kept.clone().map(OsBytes::new) }
    }
}

/// A request that passes.
pub(super) struct RequestBody {
    inner: Body,
    text: Arc<Mutex<Text>>,
}

/// One call.
pub(super) struct Passage {
    desk: Desk,
    caller: Caller,
    vendor: LlmVendor,
    method: String,
    path: String,
    begun: Instant,
    request: Arc<Mutex<Text>>,
    answer: Option<Answer>,
    outcome: LlmOutcome,
}

/// The response of a call.
struct Answer {
    text: Text,
    reader: ReplyReader,
    first_byte_us: u64,
}

impl Passage {
    pub(super) fn begin(
        desk: Desk,
        caller: Caller,
        vendor: LlmVendor,
        method: String,
        path: String,
        request: Text,
    ) -> Self {
        Self {
            desk,
            caller,
            vendor,
            method,
            path,
            begun: Instant::now(),
            request: Arc::new(Mutex::new(request)),
            answer: None,
            outcome: LlmOutcome::Abandoned,
        }
    }

    /// The request's body, which is looked at on its way.
    pub(super) fn request(&self, inner: Body) -> Body {
        Body::new(RequestBody { inner, text: self.request.clone() })
    }

    /// There is no response.
    pub(super) fn unreachable(mut self, why: String) {
        self.outcome = LlmOutcome::Unreachable(why);
    }

    /// The response's body, which is looked at on its way. The call is over when it is.
    pub(super) fn response(mut self, status: u16, reader: ReplyReader, text: Text, inner: Body) -> Body {
        self.answer = Some(Answer { text, reader, first_byte_us: micros(self.begun) });
        self.outcome = LlmOutcome::Cancelled(status);
        Body::new(ResponseBody { inner, passage: self, status })
    }
}

/// However a call ends, it ends here.
impl Drop for Passage {
    fn drop(&mut self) {
        let request = self.request.lock().unwrap_or_else(PoisonError::into_inner).named();
        let (response, first_byte_us, reply) = match self.answer.take() {
            Some(Answer { text, reader, first_byte_us }) => (Some(text.named()), Some(first_byte_us), reader.finish()),
            None => (None, None, LlmReply::default()),
        };
        let call = LlmCall {
            vendor: self.vendor,
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            request,
            outcome: self.outcome.clone(),
            response,
            first_byte_us,
            duration_us: micros(self.begun),
            reply,
        };
        self.desk.end(std::mem::take(&mut self.caller), call);
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(piece) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.text.lock().unwrap_or_else(PoisonError::into_inner).take(piece);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A response that passes.
struct ResponseBody {
    inner: Body,
    passage: Passage,
    status: u16,
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        let status = self.status;
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(piece), Some(answer)) = (frame.data_ref(), &mut self.passage.answer) {
                    answer.text.take(piece);
                    answer.reader.take(piece);
                }
            }
            Some(Err(_)) => self.passage.outcome = LlmOutcome::Broken(status),
            None => self.passage.outcome = LlmOutcome::Completed(status),
        }
        // A body of known length is not asked again after its last piece.
        if self.inner.is_end_stream() && !matches!(frame, Some(Err(_))) {
            self.passage.outcome = LlmOutcome::Completed(status);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
