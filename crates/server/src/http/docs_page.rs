//! The description for people: one page without script and without anything from elsewhere.

use crate::http::routes::{ROUTES, Route};
use crate::settings::Prefix;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
code{background:#8882;padding:.1em .3em;border-radius:.2em}dt{margin-top:.5em}section{border-top:1px solid #8884}";

/// The page.
pub fn page(prefix: &Prefix) -> String {
    let mut text = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>agentprov review API</title><style>{STYLE}</style><h1>agentprov review API</h1>\
         <p>The machine-readable description is <a href=openapi.json>openapi.json</a>. Requests need \
         <code>Authorization: Bearer TOKEN</code>, unless a route is marked as open or the service was started with \
         <code>--no-auth</code>.</p>"
    );
    ROUTES.iter().for_each(|route| section(route, prefix, &mut text));
    text.push_str("</html>\n");
    text
}

fn section(route: &Route, prefix: &Prefix, text: &mut String) {
    let open = if route.open { " (open)" } else { "" };
    text.push_str(&format!(
        "<section id={}><h2><code>{} {}</code>{open}</h2><p>{}</p><dl>",
        route.id,
        route.verb.as_str(),
        escaped(&prefix.path(route.path)),
        escaped(route.summary)
    ));
    for parameter in route.query {
        let (name, meaning) = (parameter.name, escaped(parameter.meaning));
        text.push_str(&format!("<dt><code>?{name}</code></dt><dd>{meaning}</dd>"));
    }
    for (status, meaning) in route.statuses() {
        text.push_str(&format!("<dt><code>{status}</code></dt><dd>{}</dd>", escaped(meaning)));
    }
    text.push_str("</dl></section>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
