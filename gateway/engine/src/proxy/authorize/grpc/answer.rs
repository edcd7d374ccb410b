//! What an answer means. One that cannot be understood is no answer, and so no yes.

use super::message::{
    BoolValue, CheckResponse, DeniedHttpResponse, HeaderPair, HeaderValueOption, HttpResponse, HttpStatus,
    OkHttpResponse, QueryParameter, Status,
};
use http::{HeaderName, HeaderValue, StatusCode};
use lychgate_filters::external_auth::{Answer, Denial, Edit, EditKind, Grant};

/// More changes than this of one kind are none that a service means: each is compared with all others.
const MOST: usize = 256;

pub(super) fn read(response: CheckResponse) -> Result<Answer, String> {
    let CheckResponse { status, http_response } = response;
    let Status { code, message } = status.unwrap_or_default();
    match (code, http_response) {
        (0, None) => Ok(Answer::Granted(Grant::default())),
        (0, Some(HttpResponse::Ok(ok))) => granted(ok).map(Answer::Granted),
        (0, Some(HttpResponse::Denied(_) | HttpResponse::Error(_))) => {
            Err("it answered with status OK, and denied the request all the same".to_owned())
        }
        (_, Some(HttpResponse::Error(_))) => Ok(Answer::Failed(format!("the service failed: {message}"))),
        (_, Some(HttpResponse::Denied(denied))) => self::denied(denied).map(Answer::Denied),
        (_, None | Some(HttpResponse::Ok(_))) => Ok(Answer::Denied(Denial::bare())),
    }
}

fn granted(ok: OkHttpResponse) -> Result<Grant, String> {
    let OkHttpResponse {
        headers,
        headers_to_remove,
        response_headers_to_add,
        query_parameters_to_set,
        query_parameters_to_remove,
    } = ok;
    let longest = [headers_to_remove.len(), query_parameters_to_set.len(), query_parameters_to_remove.len()];
    if longest.iter().any(|length| *length > MOST) {
        return Err(format!("it wants more than {MOST} changes of one kind"));
    }
    // Names that are none, pseudo-headers among them, are those of no header.
    let remove = headers_to_remove.iter().filter_map(|name| HeaderName::try_from(name.as_str()).ok()).collect();
    let pair = |QueryParameter { key, value }: QueryParameter| (key, value);
    Ok(Grant {
        remove,
        edits: edits(headers)?,
        set_query: query_parameters_to_set.into_iter().map(pair).collect(),
        remove_query: query_parameters_to_remove,
        response: edits(response_headers_to_add)?,
    })
}

fn denied(denied: DeniedHttpResponse) -> Result<Denial, String> {
    let DeniedHttpResponse { status, headers, body } = denied;
    let code = status.map_or(0, |HttpStatus { code }| code);
    let status =
        u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::FORBIDDEN);
    let headers = edits(headers)?.into_iter().map(|Edit { name, value, kind: _ }| (name, value));
    Ok(Denial::new(status, headers, Some(body.into_bytes())))
}

/// Pseudo-headers (`:path`) are not for a service to change, and passed over.
fn edits(options: Vec<HeaderValueOption>) -> Result<Vec<Edit>, String> {
    let is_header = |option: &HeaderValueOption| {
        option.header.as_ref().is_some_and(|HeaderPair { key, .. }| !key.is_empty() && !key.starts_with(':'))
    };
    if options.len() > MOST {
        return Err(format!("it wants more than {MOST} changes of one kind"));
    }
    options.into_iter().filter(is_header).map(edit).collect()
}

fn edit(option: HeaderValueOption) -> Result<Edit, String> {
    let HeaderValueOption { header, append, append_action } = option;
    let HeaderPair { key, value, raw_value } = header.unwrap_or_default();
    let name = HeaderName::try_from(key.as_str()).map_err(|_| format!("`{}` is no header name", key.escape_debug()))?;
    let value = if raw_value.is_empty() { value.as_bytes() } else { raw_value.as_ref() };
    let value = HeaderValue::from_bytes(value).map_err(|_| format!("the value of {name} is no header value"))?;
    let kind = match (append, append_action) {
        (Some(BoolValue { value: true }), _) => EditKind::Append,
        (Some(BoolValue { value: false }), _) => EditKind::Overwrite,
        // Said by nobody: what a client has sent under a name of the service's must not stand beside it.
        (None, 0 | 2) => EditKind::Overwrite,
        (None, 1) => EditKind::IfAbsent,
        (None, 3) => EditKind::IfPresent,
        (None, other) => return Err(format!("append_action {other} of {name} is unknown")),
    };
    Ok(Edit { name, value, kind })
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn status(code: i32) -> Option<Status> {
        Some(Status { code, message: String::new() })
    }

    fn header(key: &str, value: &str) -> HeaderValueOption {
        let header = Some(HeaderPair { key: key.into(), value: value.into(), raw_value: Default::default() });
        HeaderValueOption { header, append: None, append_action: 0 }
    }

    #[test]
    fn an_empty_yes_is_one_and_an_empty_no_is_403() {
        let yes = CheckResponse { status: status(0), http_response: None };
        assert_eq!(read(yes).unwrap(), Answer::Granted(Grant::default()));
        // Proto3 leaves out what is zero.
        assert_eq!(read(CheckResponse::default()).unwrap(), Answer::Granted(Grant::default()));
        let no = CheckResponse { status: status(7), http_response: None };
        assert_eq!(read(no).unwrap(), Answer::Denied(Denial::bare()));
    }

    #[test]
    fn a_denial_cannot_look_like_a_success() {
        for (code, shown) in
            [(401, 401), (302, 302), (200, 403), (304, 403), (100, 403), (0, 403), (7000, 403), (-1, 403)]
        {
            let denied = DeniedHttpResponse { status: Some(HttpStatus { code }), ..DeniedHttpResponse::default() };
            let answer = CheckResponse { status: status(16), http_response: Some(HttpResponse::Denied(denied)) };
            let Answer::Denied(denial) = read(answer).unwrap() else { panic!("{code} is no denial") };
            assert_eq!(denial.status.as_u16(), shown, "{code}");
        }
    }

    #[test]
    fn what_contradicts_itself_or_makes_no_sense_is_no_answer() {
        let denied = || Some(HttpResponse::Denied(DeniedHttpResponse::default()));
        assert!(read(CheckResponse { status: status(0), http_response: denied() }).is_err());
        for bad in
            [header("no name", "x"), header("x-a", "a\nb"), HeaderValueOption { append_action: 9, ..header("x", "y") }]
        {
            let ok = OkHttpResponse { headers: vec![bad], ..OkHttpResponse::default() };
            assert!(read(CheckResponse { status: status(0), http_response: Some(HttpResponse::Ok(ok)) }).is_err());
        }
        let error = Some(HttpResponse::Error(DeniedHttpResponse::default()));
        assert!(matches!(read(CheckResponse { status: status(13), http_response: error }), Ok(Answer::Failed(_))));
    }

    #[test]
    fn headers_say_what_becomes_of_those_that_are_there() {
        let append = |value| HeaderValueOption { append: Some(BoolValue { value }), ..header("x-a", "1") };
        let action = |append_action| HeaderValueOption { append_action, ..header("x-a", "1") };
        let all = vec![header(":path", "/"), append(true), append(false), action(0), action(1), action(2), action(3)];
        let kinds: Vec<EditKind> = edits(all).unwrap().into_iter().map(|edit| edit.kind).collect();
        use EditKind::{Append, IfAbsent, IfPresent, Overwrite};
        assert_eq!(kinds, [Append, Overwrite, Overwrite, IfAbsent, Overwrite, IfPresent]);
    }
}
