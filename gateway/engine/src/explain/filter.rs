//! Filters in words.

use super::words::{header, list};
use lychgate_ir::filter::{
    AuthHeaders, AuthProtocol, Cors, CorsMethods, CorsNames, CorsOrigin, ExternalAuth, Fraction, HeaderModifier,
    HttpAuth, Mirror, PathRewrite, Redirect, RedirectScheme, UrlRewrite,
};
use lychgate_ir::{Filter, Target};

/// What a filter does, as the predicate of a sentence.
pub(super) fn sentence(filter: &Filter) -> String {
    match filter {
        Filter::RequestHeaders(modifier) => format!("request headers: {}", edits(modifier)),
        Filter::ResponseHeaders(modifier) => format!("response headers: {}", edits(modifier)),
        Filter::Redirect(to) => redirect(to),
        Filter::Rewrite(to) => rewrite(to),
        Filter::Mirror(mirror) => mirrored(mirror),
        Filter::Cors(granted) => cors(granted),
        Filter::ExternalAuth(auth) => authorization(auth),
        Filter::Broken(refusal) => format!(
            "cannot be done, so requests get {} ({}): {}",
            refusal.status,
            refusal.reason,
            refusal.message.trim_end_matches('.')
        ),
    }
}

/// In the order in which they take place.
fn edits(modifier: &HeaderModifier) -> String {
    let HeaderModifier { set, add, remove } = modifier;
    let mut edits = Vec::new();
    let pairs = |pairs: &[(http::HeaderName, http::HeaderValue)]| list(pairs.iter().map(header));
    if !set.is_empty() {
        edits.push(format!("set {}", pairs(set)));
    }
    if !add.is_empty() {
        edits.push(format!("add {}", pairs(add)));
    }
    if !remove.is_empty() {
        edits.push(format!("remove {}", list(remove.iter().map(ToString::to_string))));
    }
    if edits.is_empty() { "nothing to change".to_owned() } else { edits.join("; ") }
}

fn redirect(redirect: &Redirect) -> String {
    let Redirect { scheme, hostname, path, port, status } = redirect;
    let mut changes = Vec::new();
    if let Some(scheme) = scheme {
        changes.push(match scheme {
            RedirectScheme::Http => "http".to_owned(),
            RedirectScheme::Https => "https".to_owned(),
        });
    }
    changes.extend(hostname.as_ref().map(|hostname| format!("host {hostname}")));
    changes.extend(port.map(|port| format!("port {port}")));
    changes.extend(path.as_ref().map(new_path));
    let to = if changes.is_empty() { "where it came to".to_owned() } else { list(changes) };
    format!("answer {status}, a redirect to {to}; the rest stays as in the request")
}

fn rewrite(rewrite: &UrlRewrite) -> String {
    let UrlRewrite { hostname, path } = rewrite;
    let mut changes: Vec<String> = hostname.iter().map(|hostname| format!("host {hostname}")).collect();
    changes.extend(path.as_ref().map(new_path));
    if changes.is_empty() { "rewrite nothing".to_owned() } else { format!("forward with {}", list(changes)) }
}

fn new_path(path: &PathRewrite) -> String {
    match path {
        PathRewrite::Full(path) => format!("path {path}"),
        PathRewrite::Prefix(prefix) if prefix.is_empty() => "the matched prefix taken off the path".to_owned(),
        PathRewrite::Prefix(prefix) => format!("{prefix} in place of the matched prefix of the path"),
    }
}

fn mirrored(mirror: &Mirror) -> String {
    let Mirror { target, share } = mirror;
    match target {
        Target::Backend(id) => format!("send a copy of {} to {id}, and ignore its answer", portion(*share)),
        Target::Broken(refusal) => {
            format!("send no copy, because {} ({})", refusal.message.trim_end_matches('.'), refusal.reason)
        }
    }
}

/// Who is asked, what it is told, and what its word changes.
pub(super) fn authorization(auth: &ExternalAuth) -> String {
    let ExternalAuth { target, protocol, body } = auth;
    let service = match target {
        Target::Backend(id) => id,
        Target::Broken(refusal) => {
            let (status, reason) = (refusal.status, refusal.reason);
            let why = refusal.message.trim_end_matches('.');
            return format!("nobody can be asked, so requests get {status} ({reason}): {why}");
        }
    };
    let (speaks, sees, gives) = match protocol {
        AuthProtocol::Http(HttpAuth { prefix, sees, gives }) => {
            let at = if prefix.is_empty() { String::new() } else { format!(" below {prefix}") };
            let always = ["host", "authorization"].map(str::to_owned);
            let sees = list(always.into_iter().chain(sees.iter().map(ToString::to_string)));
            let gives = match gives {
                AuthHeaders::All => "all headers of its answer are added".to_owned(),
                AuthHeaders::Only(names) => {
                    format!("of its answer {} are added", list(names.iter().map(ToString::to_string)))
                }
            };
            (format!("over HTTP{at}"), sees, gives)
        }
        AuthProtocol::Grpc { sees } => {
            let sees = match sees {
                AuthHeaders::All => "all headers".to_owned(),
                AuthHeaders::Only(names) => or_none(names.iter().map(ToString::to_string)),
            };
            ("over gRPC".to_owned(), sees, "what its answer says is changed".to_owned())
        }
    };
    let body = match body {
        0 => "no body".to_owned(),
        most => format!("bodies up to {most} bytes, longer ones are refused"),
    };
    format!("ask {service} {speaks}; it sees {sees}; {body}; if it lets the request pass, {gives}")
}

fn portion(share: Fraction) -> String {
    let Fraction { numerator, denominator } = share;
    match (numerator, denominator) {
        (0, _) => "no request".to_owned(),
        (some, all) if some >= all => "every request".to_owned(),
        (some, 100) => format!("{some} % of requests"),
        (some, all) => format!("{some} in {all} requests"),
    }
}

fn cors(cors: &Cors) -> String {
    let Cors { allow_origins, allow_credentials, allow_methods, allow_headers, expose_headers, max_age } = cors;
    let origins = match allow_origins.as_slice() {
        [] => "no origin".to_owned(),
        some => list(some.iter().map(origin)),
    };
    let methods = match allow_methods {
        CorsMethods::Any => "all".to_owned(),
        CorsMethods::Only(names) => or_none(names.iter().map(ToString::to_string)),
    };
    let mut text = format!(
        "cross-origin requests from {origins}; methods {methods}; request headers {}; response headers for scripts {}",
        names(allow_headers),
        names(expose_headers)
    );
    if *allow_credentials {
        text += "; with credentials";
    }
    text + &format!("; preflights hold for {max_age} s")
}

fn origin(origin: &CorsOrigin) -> String {
    match origin {
        CorsOrigin::Any => "any origin".to_owned(),
        CorsOrigin::Exact(origin) => origin.to_string(),
        CorsOrigin::Wildcard { scheme, suffix } => format!("{scheme}*{suffix}"),
    }
}

fn names(names: &CorsNames) -> String {
    match names {
        CorsNames::Any => "all".to_owned(),
        CorsNames::Only(names) => or_none(names.iter().map(ToString::to_string)),
    }
}

fn or_none(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "none".to_owned() } else { list(items) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use lychgate_ir::{BackendId, BackendKind, ObjectName, Refusal, RefusalReason, Transport};

    fn pair(name: &'static str, value: &'static str) -> (http::HeaderName, http::HeaderValue) {
        (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
    }

    fn backend() -> Target {
        Target::Backend(BackendId {
            kind: BackendKind::Service,
            name: ObjectName::new("ns", "copy"),
            port: 80,
            transport: Transport::Tcp,
        })
    }

    #[test]
    fn headers() {
        let modifier = HeaderModifier {
            set: vec![pair("x-a", "1"), pair("x-b", "2")],
            add: vec![pair("x-c", "3")],
            remove: vec![http::HeaderName::from_static("x-d")],
        };
        let edits = "set x-a: 1 and x-b: 2; add x-c: 3; remove x-d";
        assert_eq!(sentence(&Filter::RequestHeaders(modifier.clone())), format!("request headers: {edits}"));
        assert_eq!(sentence(&Filter::ResponseHeaders(modifier)), format!("response headers: {edits}"));
        assert_eq!(sentence(&Filter::RequestHeaders(HeaderModifier::default())), "request headers: nothing to change");
        let secret = HeaderModifier { set: vec![pair("authorization", "Bearer abc")], ..HeaderModifier::default() };
        assert_eq!(sentence(&Filter::RequestHeaders(secret)), "request headers: set authorization: [redacted]");
    }

    #[test]
    fn redirects_and_rewrites() {
        let redirect = Redirect {
            scheme: Some(RedirectScheme::Https),
            hostname: Some("www.example".into()),
            path: Some(PathRewrite::Prefix("/new".into())),
            port: Some(8443),
            status: 301,
        };
        assert_eq!(
            sentence(&Filter::Redirect(redirect)),
            "answer 301, a redirect to https, host www.example, port 8443 and /new in place of the matched prefix of the \
             path; the rest stays as in the request"
        );
        let rewrite = |hostname: Option<&str>, path| {
            sentence(&Filter::Rewrite(UrlRewrite { hostname: hostname.map(Into::into), path }))
        };
        assert_eq!(
            rewrite(Some("in.example"), Some(PathRewrite::Full("/x".into()))),
            "forward with host in.example and path /x"
        );
        assert_eq!(
            rewrite(None, Some(PathRewrite::Prefix("".into()))),
            "forward with the matched prefix taken off the path"
        );
    }

    #[test]
    fn authorization_services() {
        let asked = |target, protocol, body| sentence(&Filter::ExternalAuth(ExternalAuth { target, protocol, body }));
        let names = |names: &[&'static str]| names.iter().map(|name| http::HeaderName::from_static(name)).collect();
        let http = AuthProtocol::Http(HttpAuth {
            prefix: "/check".into(),
            sees: names(&["cookie"]),
            gives: AuthHeaders::Only(names(&["x-user"])),
        });
        assert_eq!(
            asked(backend(), http, 1024),
            "ask Service/ns/copy:80 over HTTP below /check; it sees host, authorization and cookie; bodies up to 1024 bytes, \
             longer ones are refused; if it lets the request pass, of its answer x-user are added"
        );
        let grpc = AuthProtocol::Grpc { sees: AuthHeaders::All };
        assert_eq!(
            asked(backend(), grpc.clone(), 0),
            "ask Service/ns/copy:80 over gRPC; it sees all headers; no body; if it lets the request pass, what its answer \
             says is changed"
        );
        let broken = Target::Broken(Refusal::internal(RefusalReason::BackendNotFound, "there is no Service ns/gone."));
        assert_eq!(
            asked(broken, grpc, 0),
            "nobody can be asked, so requests get 500 (BackendNotFound): there is no Service ns/gone"
        );
    }

    #[test]
    fn mirrors() {
        let mirror = |target, numerator, denominator| {
            sentence(&Filter::Mirror(Mirror { target, share: Fraction { numerator, denominator } }))
        };
        assert_eq!(
            mirror(backend(), 1, 1),
            "send a copy of every request to Service/ns/copy:80, and ignore its answer"
        );
        assert_eq!(
            mirror(backend(), 5, 100),
            "send a copy of 5 % of requests to Service/ns/copy:80, and ignore its answer"
        );
        assert_eq!(
            mirror(backend(), 1, 1000),
            "send a copy of 1 in 1000 requests to Service/ns/copy:80, and ignore its answer"
        );
        let broken = Target::Broken(Refusal::internal(RefusalReason::BackendNotFound, "there is no such Service"));
        assert_eq!(mirror(broken, 1, 1), "send no copy, because there is no such Service (BackendNotFound)");
    }

    #[test]
    fn cross_origin_requests() {
        let cors = Cors {
            allow_origins: vec![
                CorsOrigin::Exact("https://a.example".into()),
                CorsOrigin::Wildcard { scheme: "https://".into(), suffix: ".b.example".into() },
            ],
            allow_credentials: true,
            allow_methods: CorsMethods::Only(vec!["GET".into(), "PUT".into()]),
            allow_headers: CorsNames::Any,
            expose_headers: CorsNames::Only(Vec::new()),
            max_age: 5,
        };
        assert_eq!(
            sentence(&Filter::Cors(cors)),
            "cross-origin requests from https://a.example and https://*.b.example; methods GET and PUT; request headers \
             all; response headers for scripts none; with credentials; preflights hold for 5 s"
        );
    }

    #[test]
    fn what_cannot_be_done() {
        let refusal = Refusal::internal(RefusalReason::UnsupportedFilter, "ExtensionRef is not supported.");
        assert_eq!(
            sentence(&Filter::Broken(refusal)),
            "cannot be done, so requests get 500 (UnsupportedFilter): ExtensionRef is not supported"
        );
    }
}
