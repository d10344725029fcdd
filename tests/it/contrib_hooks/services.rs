//! Stand-ins for the services: they require what the public API of each service requires, and refuse as it does.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::common::*;

struct Request {
    method: String,
    path: String,
    head: String,
    body: String,
}

impl Request {
    fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line.eq_ignore_ascii_case(header))
    }
}

/// The message that a service takes from a request, or status and body of its response.
type Reply = Result<String, (u16, Value)>;

pub(super) struct Service {
    pub(super) script: &'static str,
    /// For `http://SERVER`, with the right secrets.
    pub(super) settings: &'static [(&'static str, &'static str)],
    /// A wrong secret, and what the service says about it.
    pub(super) wrong: (&'static str, &'static str, &'static str),
    receive: fn(&Request, &Value) -> Reply,
    /// How the script writes a text for it.
    pub(super) format: fn(&str) -> String,
}

fn text<'a>(body: &'a Value, key: &str) -> &'a str {
    body[key].as_str().unwrap_or_default()
}

pub(super) const SERVICES: [Service; 6] = [
    Service {
        script: "ntfy",
        settings: &[("NTFY_URL", "http://SERVER/top-ic_1"), ("NTFY_TOKEN", r#"tk_"secret\"#)],
        wrong: ("NTFY_TOKEN", "tk_wrong", "unauthorized"),
        receive: receive_ntfy,
        format: str::to_owned,
    },
    Service {
        script: "telegram",
        settings: &[
            ("TELEGRAM_URL", "http://SERVER"),
            ("TELEGRAM_TOKEN", "1234:AAsecret"),
            ("TELEGRAM_CHAT", "-1001234567890"),
        ],
        wrong: ("TELEGRAM_TOKEN", "1234:wrong", r#""description":"Unauthorized""#),
        receive: receive_telegram,
        format: str::to_owned,
    },
    Service {
        script: "discord",
        settings: &[("DISCORD_URL", "http://SERVER/api/webhooks/1/secret?thread_id=3")],
        wrong: ("DISCORD_URL", "http://SERVER/api/webhooks/1/wrong", "Unknown Webhook"),
        receive: receive_discord,
        format: |text| {
            let escape = |c| if "\\[]*_~`|<>#".contains(c) { vec!['\\', c] } else { vec![c] };
            text.chars().flat_map(escape).collect()
        },
    },
    Service {
        script: "slack",
        settings: &[("SLACK_URL", "http://SERVER/services/T0/B0/secret")],
        wrong: ("SLACK_URL", "http://SERVER/services/T0/B0/wrong", "HTTP 404: no_service"),
        receive: receive_slack,
        format: |text| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
    },
    Service {
        script: "gotify",
        settings: &[("GOTIFY_URL", "http://SERVER/gotify/"), ("GOTIFY_TOKEN", "Asecret")],
        wrong: ("GOTIFY_TOKEN", "Awrong", "you need to provide a valid access token"),
        receive: receive_gotify,
        format: str::to_owned,
    },
    Service {
        script: "matrix",
        settings: &[
            ("MATRIX_URL", "http://SERVER"),
            ("MATRIX_ROOM", "!a/b%:example.org"),
            ("MATRIX_TOKEN", "syt_secret"),
        ],
        wrong: ("MATRIX_TOKEN", "syt_wrong", "M_UNKNOWN_TOKEN"),
        receive: receive_matrix,
        format: str::to_owned,
    },
];

// https://docs.ntfy.sh/publish/#publish-as-json
fn receive_ntfy(request: &Request, body: &Value) -> Reply {
    let error =
        |code: u16, http: u16, error: &str| Err((http, json!({"code": code, "http": http, "error": error})));
    if (&*request.method, &*request.path) != ("POST", "/") {
        return error(40401, 404, "page not found");
    }
    let has_token = request.has(r#"Authorization: Bearer tk_"secret\"#);
    let is_public = text(body, "topic") == "public" && !request.head.contains("Authorization");
    if !has_token && !is_public {
        return error(40101, 401, "unauthorized");
    }
    let topic = text(body, "topic");
    if topic.is_empty() || !topic.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
        return error(40009, 400, "invalid request: topic invalid");
    }
    if !(1..=5).contains(&body["priority"].as_u64().unwrap_or_default()) {
        return error(40007, 400, "invalid priority parameter");
    }
    let is_plain = body["tags"].as_array().is_some_and(|tags| tags.iter().all(Value::is_string));
    // A longer message becomes an attachment.
    let message = text(body, "message");
    if !is_plain || message.is_empty() || message.len() > 4096 {
        return error(40017, 400, "invalid request: request body must be message JSON");
    }
    assert!(text(body, "title").contains(" is ") || message.starts_with("Test message: "), "{body}");
    Ok(message.to_owned())
}

// https://core.telegram.org/bots/api#sendmessage
fn receive_telegram(request: &Request, body: &Value) -> Reply {
    let error =
        |code: u16, text: &str| Err((code, json!({"ok": false, "error_code": code, "description": text})));
    if request.path != "/bot1234:AAsecret/sendMessage" {
        return error(401, "Unauthorized");
    }
    if text(body, "chat_id") != "-1001234567890" {
        return error(400, "Bad Request: chat not found");
    }
    // With a parse_mode, hostile texts would be markup.
    if body.get("parse_mode").is_some() {
        return error(400, "Bad Request: can't parse entities");
    }
    match text(body, "text").encode_utf16().count() {
        0 => error(400, "Bad Request: message text is empty"),
        1..=4096 => Ok(text(body, "text").to_owned()),
        _ => error(400, "Bad Request: message is too long"),
    }
}

// https://discord.com/developers/docs/resources/webhook#execute-webhook
fn receive_discord(request: &Request, body: &Value) -> Reply {
    if !request.path.starts_with("/api/webhooks/1/secret") {
        return Err((404, json!({"message": "Unknown Webhook", "code": 10015})));
    }
    let content = text(body, "content");
    if content.is_empty() {
        return Err((400, json!({"message": "Cannot send an empty message", "code": 50006})));
    }
    if content.chars().count() > 2000 || body["allowed_mentions"] != json!({"parse": []}) {
        return Err((400, json!({"message": "Invalid Form Body", "code": 50035})));
    }
    Ok(content.to_owned())
}

// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, formatting: three characters to escape
fn receive_slack(request: &Request, body: &Value) -> Reply {
    if request.path != "/services/T0/B0/secret" {
        return Err((404, "no_service".into()));
    }
    match text(body, "text") {
        "" => Err((400, "no_text".into())),
        markup if markup.contains(['<', '>']) => Err((400, "invalid_payload".into())),
        text => Ok(text.to_owned()),
    }
}

// https://gotify.net/api-docs
fn receive_gotify(request: &Request, body: &Value) -> Reply {
    let error = |code: u16, error: &str, text: &str| {
        Err((code, json!({"error": error, "errorCode": code, "errorDescription": text})))
    };
    if request.path != "/gotify/message" {
        return error(404, "Not Found", "page not found");
    }
    if !request.has("X-Gotify-Key: Asecret") {
        let text = "you need to provide a valid access token or user credentials to access this api";
        return error(401, "Unauthorized", text);
    }
    if text(body, "message").is_empty() || !body["priority"].is_u64() || !body["title"].is_string() {
        return error(400, "Bad Request", "Field 'message' is required");
    }
    Ok(text(body, "message").to_owned())
}

// https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid
fn receive_matrix(request: &Request, body: &Value) -> Reply {
    let error = |status: u16, code: &str, text: &str| Err((status, json!({"errcode": code, "error": text})));
    let room = "/_matrix/client/v3/rooms/%21a%2Fb%25%3Aexample.org/send/m.room.message/";
    let transaction = request.path.strip_prefix(room).unwrap_or_default();
    if request.method != "PUT" || transaction.is_empty() || transaction.contains('/') {
        return error(404, "M_UNRECOGNIZED", "Unrecognized request");
    }
    if !request.has("Authorization: Bearer syt_secret") {
        return error(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.");
    }
    if text(body, "msgtype") != "m.text" || body["m.mentions"] != json!({}) {
        return error(400, "M_BAD_JSON", "Invalid event");
    }
    Ok(text(body, "body").to_owned())
}

/// A stand-in for the service, and the messages that it has accepted.
pub(super) fn serve(service: &'static Service) -> (Server, Receiver<String>) {
    let (sender, messages) = channel();
    let server = Server::start(move |mut stream| {
        let head = read_head(&stream);
        let mut words = head.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).expect("a body");
        let request = Request { method, path, head, body: String::from_utf8(body).expect("UTF-8") };
        let reply = match serde_json::from_str(&request.body) {
            Ok(json) => (service.receive)(&request, &json),
            Err(error) => Err((400, format!("invalid JSON: {error}: {}", request.body).into())),
        };
        let (status, body) = match reply {
            Ok(message) => {
                let _ = sender.send(message);
                (200, json!({"ok": true}))
            }
            Err(error) => error,
        };
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        let _ = write!(stream, "HTTP/1.1 {status} -\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    });
    (server, messages)
}
