//! Config maps and secrets.

use serde_json::{Value, json};

use super::check::{Causes, IMMUTABLE, key};
use crate::sim::api_error::Cause;
use crate::sim::builtin::json::{entries, has, text};
use crate::sim::builtin::names::config_key;
use crate::sim::schema::text::too_long;

/// Most bytes of all values together.
const MOST: u64 = 1_048_576;

/// `ConfigMap`.
pub fn config_map(c: &mut Causes, object: &Value, old: Option<&Value>) {
    let mut total = 0;
    for (name, value) in entries(object, "data") {
        c.problems(&key("data", name), &json!(name), config_key(name));
        if object["binaryData"].get(name).is_some() {
            c.invalid(key("data", name), &json!(name), "duplicate of key present in binaryData");
        }
        total += value.as_str().map_or(0, str::len) as u64;
    }
    for (name, value) in entries(object, "binaryData") {
        c.problems(&key("binaryData", name), &json!(name), config_key(name));
        total += decoded_length(value);
    }
    if total > MOST {
        // The server reports this at a field without a name.
        c.push(Cause { field: String::new(), ..too_long("", MOST) });
    }
    frozen(c, object, old, &["data", "binaryData"]);
}

/// `Secret`, with `stringData` already moved into `data`.
pub fn secret(c: &mut Causes, object: &Value, old: Option<&Value>) {
    let mut total = 0;
    for (name, value) in entries(object, "data") {
        c.problems(&key("data", name), &json!(name), config_key(name));
        total += decoded_length(value);
    }
    if total > MOST {
        c.push(too_long("data", MOST));
    }
    typed(c, object);
    if let Some(old) = old {
        c.immutable(&object["type"], &old["type"], "type");
    }
    frozen(c, object, old, &["data"]);
}

/// Secrets of known types have known keys.
fn typed(c: &mut Causes, object: &Value) {
    let mut needs = |name: &str| {
        if object["data"].get(name).is_none() {
            c.required(key("data", name), "");
        }
    };
    match text(object, "type") {
        "kubernetes.io/tls" => ["tls.crt", "tls.key"].into_iter().for_each(&mut needs),
        "kubernetes.io/dockercfg" => needs(".dockercfg"),
        "kubernetes.io/dockerconfigjson" => needs(".dockerconfigjson"),
        "kubernetes.io/ssh-auth" => needs("ssh-privatekey"),
        "kubernetes.io/basic-auth" => {
            let data = &object["data"];
            if data.get("username").is_none() && data.get("password").is_none() {
                c.required("data[username]", "");
                c.required("data[password]", "");
            }
        }
        "kubernetes.io/service-account-token" => {
            let account = object["metadata"]["annotations"].get("kubernetes.io/service-account.name");
            if account.is_none_or(|name| name == "") {
                c.required("metadata.annotations[kubernetes.io/service-account.name]", "");
            }
        }
        _ => {}
    }
}

/// Once `immutable` is set it stays, and so does the content.
fn frozen(c: &mut Causes, object: &Value, old: Option<&Value>, content: &[&str]) {
    let Some(old) = old.filter(|old| old["immutable"] == true) else { return };
    let sentence = format!("{IMMUTABLE} when `immutable` is set");
    if object["immutable"] != true {
        c.forbidden("immutable", &sentence);
    }
    for field in content {
        let empty = json!({});
        let of = |value: &Value| if has(value, field) { value[*field].clone() } else { empty.clone() };
        if of(object) != of(old) {
            c.forbidden(*field, &sentence);
        }
    }
}

/// Bytes behind a base64 text.
fn decoded_length(value: &Value) -> u64 {
    let digits = value.as_str().unwrap_or_default().bytes().filter(|byte| !matches!(byte, b'=' | b'\n' | b'\r')).count();
    (digits * 3 / 4) as u64
}
