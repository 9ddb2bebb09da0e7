//! What may be sent when.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::cluster::write::Status;
use crate::model::Kind;
use crate::model::{Id, Key};
use serde_json::Value;

fn write(kind: Kind, name: &str) -> Write {
    let id = Id::new(kind, Key::new("default", name));
    Write::Status(Status { id, uid: None, version: None, status: Value::Null, lazy: kind == Kind::Subnet, note: None })
}

#[test]
fn an_object_is_written_once_at_a_time_and_again_a_while_after_a_failure() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.refill(vec![write(Kind::Port, "a"), write(Kind::Port, "a"), write(Kind::Port, "b")]);
    let first = queue.take(now).unwrap().target();
    assert_eq!(queue.take(now).unwrap().target(), write(Kind::Port, "b").target());
    assert!(queue.take(now).is_none());
    assert!(queue.ended(&first, false, now), "the second write about it was left");
    queue.refill(vec![write(Kind::Port, "a")]);
    assert!(queue.take(now).is_none());
    assert!(queue.deadline(now).unwrap() > now);
    queue.refill(vec![write(Kind::Port, "a")]);
    assert!(queue.take(now + RETRY.0).is_some());
}

#[test]
fn no_more_are_sent_than_the_server_takes_at_once() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.refill((0..100).map(|n| write(Kind::Port, &n.to_string())).collect());
    assert_eq!(std::iter::from_fn(|| queue.take(now)).count(), WIDTH);
    assert!(!queue.is_low());
}

#[test]
fn counts_of_a_subnet_are_written_once_a_second() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.refill(vec![write(Kind::Subnet, "web")]);
    let target = queue.take(now).unwrap().target();
    queue.ended(&target, true, now);
    queue.refill(vec![write(Kind::Subnet, "web")]);
    assert!(queue.take(now).is_none());
    queue.refill(vec![write(Kind::Subnet, "web")]);
    assert!(queue.take(now + COUNTS).is_some());
}
