//! Headers that are of one connection and not of the request.

use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// RFC 9110, 7.6.1, and what older clients send.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Takes out what is of the connection, and what the `Connection` header says is.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// The same for a request that goes on to another host, and asks for a response that can be read.
pub(super) fn forward(headers: &mut HeaderMap) {
    strip(headers);
    headers.remove(header::HOST);
    // The proxy itself has told the client to go on.
    headers.remove(header::EXPECT);
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_the_connection_stays_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "127.0.0.1:1"),
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("accept-encoding", "gzip, br"),
            ("authorization", "Bearer word"),
            ("content-length", "3"),
        ] {
            headers.insert(name.parse::<HeaderName>().expect("a name"), HeaderValue::from_static(value));
        }
        forward(&mut headers);
        let mut left: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("a text"))).collect();
        left.sort_unstable();
        let expected = [("accept-encoding", "identity"), ("authorization", "Bearer word"), ("content-length", "3")];
        assert_eq!(left, expected);
    }
}
