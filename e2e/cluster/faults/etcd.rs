//! A store into which somebody writes past the API server, over etcd's JSON gateway.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

/// Where etcd listens.
const ETCD: &str = "127.0.0.1:2379";

/// Replaces what is stored of an object.
pub fn put(resource: &str, name: &str, value: &[u8]) {
    ask("put", &json!({ "key": key(resource, name), "value": base64(value) }));
}

/// Takes away what is stored of an object, whoever still has a word to say to that.
pub fn delete(resource: &str, name: &str) {
    ask("deleterange", &json!({ "key": key(resource, name) }));
}

fn key(resource: &str, name: &str) -> String {
    base64(format!("/registry/tenet.network/{resource}/{name}").as_bytes())
}

fn ask(what: &str, body: &Value) {
    let body = body.to_string();
    let mut stream = TcpStream::connect(ETCD).unwrap();
    let length = body.len();
    write!(stream, "POST /v3/kv/{what} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 OK"), "{answer}");
}

/// RFC 4648, 4.
fn base64(octets: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in octets.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
