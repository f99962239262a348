//! Where calls are forwarded to.

use agentprov_model::llm::{LlmUpstream, LlmVendor};
use axum::http::Uri;
use axum::http::uri::{InvalidUri, InvalidUriParts, PathAndQuery, Scheme};

/// The base of a vendor's addresses.
#[derive(Clone, Debug)]
pub struct Upstream {
    vendor: LlmVendor,
    base: Uri,
}

/// Why a base can't be forwarded to.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// It is no address.
    #[error("is no address: {0}")]
    Form(#[from] InvalidUri),
    /// It is of another kind.
    #[error("has to begin with http:// or https:// and name a host")]
    Kind,
    /// It would be recorded, and sent on nowhere.
    #[error("holds a user or a password, which the proxy does not send on")]
    User,
}

impl Upstream {
    /// From the text of a base address.
    ///
    /// # Errors
    /// [`BaseError`].
    pub fn new(vendor: LlmVendor, base: &str) -> Result<Self, BaseError> {
        let base: Uri = base.trim().parse()?;
        let known = base.scheme().is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let authority = base.authority().filter(|_| known).ok_or(BaseError::Kind)?;
        if authority.as_str().contains('@') {
            return Err(BaseError::User);
        }
        Ok(Self { vendor, base })
    }

    /// Whose clients go there.
    pub const fn vendor(&self) -> LlmVendor {
        self.vendor
    }

    /// As it is recorded.
    pub fn told(&self) -> LlmUpstream {
        LlmUpstream { vendor: self.vendor, origin: self.origin() }
    }

    fn origin(&self) -> String {
        let authority = self.base.authority().map_or("", |authority| authority.as_str());
        format!("{}://{authority}", self.base.scheme_str().unwrap_or_default())
    }

    /// The address of a request below the base: its path, which begins with a slash or is empty, and its query.
    pub(super) fn address(&self, path: &str, query: Option<&str>) -> Result<Uri, InvalidUriParts> {
        let base = self.base.path().trim_end_matches('/');
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = self.base.clone().into_parts();
        let whole = format!("{base}{path}{query}");
        let whole = if whole.starts_with('/') { whole } else { format!("/{whole}") };
        // Both halves were parts of addresses already; what does not fit together is too long.
        parts.path_and_query = PathAndQuery::try_from(whole).ok();
        Uri::from_parts(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(base: &str, path: &str, query: Option<&str>) -> String {
        let upstream = Upstream::new(LlmVendor::Openai, base).expect("a base");
        upstream.address(path, query).expect("an address").to_string()
    }

    #[test]
    fn paths_go_below_the_base() {
        assert_eq!(address("https://api.openai.com/v1", "/responses", None), "https://api.openai.com/v1/responses");
        assert_eq!(
            address("http://[::1]:80/", "/v1/messages", Some("beta=true")),
            "http://[::1]:80/v1/messages?beta=true"
        );
        assert_eq!(address("https://host", "", Some("a")), "https://host/?a");
    }

    #[test]
    fn bases_that_can_not_be_forwarded_to() {
        for bad in ["", "ftp://host", "/v1", "https://user:word@host/v1", "host:80"] {
            assert!(Upstream::new(LlmVendor::Openai, bad).is_err(), "{bad}");
        }
        let told = Upstream::new(LlmVendor::Openai, "https://host:8443/v1?key=secret").expect("a base").told();
        assert_eq!(told.origin, "https://host:8443");
    }
}
