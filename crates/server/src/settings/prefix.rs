//! What the routes of the API begin with.

/// As the table of routes has it.
const BUILT_IN: &str = "/v1";

/// Empty, or a path that begins with a slash and does not end with one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prefix(String);

impl Default for Prefix {
    fn default() -> Self {
        Self(BUILT_IN.to_owned())
    }
}

impl Prefix {
    /// From text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        let mut parts = text.split('/');
        match parts.next() == Some("") && parts.all(plain) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("'{text}' is no path such as /v1")),
        }
    }

    /// As it stands before routes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of a route of the table.
    pub fn path(&self, route: &str) -> String {
        match route.strip_prefix(BUILT_IN) {
            Some(rest) if rest.starts_with('/') => format!("{}{rest}", self.0),
            _ => route.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_the_api_get_it_and_others_do_not() {
        let prefix = Prefix::parse("/api/v1/").unwrap();
        assert_eq!(prefix.path("/v1/analysis/{id}"), "/api/v1/analysis/{id}");
        assert_eq!(prefix.path("/healthz"), "/healthz");
        assert_eq!(Prefix::parse("/").unwrap().path("/v1/keys"), "/keys");
        for bad in ["v1", "//", "/a//b", "/{id}", "/a b", "/..", "/ä"] {
            assert!(Prefix::parse(bad).is_err(), "{bad}");
        }
    }
}
