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
    queue.refill(vec![write(Kind::Port, "a")]);
    let first = queue.take(now).unwrap().target();
    // Decided while the first is on its way: it does not know what comes of that.
    queue.refill(vec![write(Kind::Port, "a"), write(Kind::Port, "b")]);
    assert_eq!(queue.take(now).unwrap().target(), write(Kind::Port, "b").target());
    assert!(queue.ended(&first, End::Failed, now), "more about it was left");
    assert!(queue.take(now).is_none());
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
    assert_eq!(std::iter::from_fn(|| queue.take(now)).count(), Width::default().get());
    assert!(!queue.is_low());
}

#[test]
fn counts_of_a_subnet_are_written_after_what_is_urgent_and_once_a_second() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    let mut counts = |at: Instant| {
        queue.refill(vec![write(Kind::Subnet, "web")]);
        let write = queue.take(at)?;
        queue.ended(&write.target(), End::Well, at);
        queue.deadline(at)
    };
    assert_eq!(counts(now), None);
    let later = now + COUNTS.0;
    assert_eq!(counts(later), Some(later + COUNTS.1));
    assert_eq!(counts(later + COUNTS.0), None);
    assert!(counts(later + COUNTS.1).is_some());
}

#[test]
fn who_often_comes_second_does_not_wait_longer_than_who_did_once() {
    let (mut queue, mut now) = (Queue::default(), Instant::now());
    for end in [End::Conflict; 8] {
        queue.refill(vec![write(Kind::Network, "blue")]);
        let target = queue.take(now).unwrap().target();
        queue.ended(&target, end, now);
        now += RETRY.0;
    }
}

#[test]
fn what_was_made_and_is_not_seen_yet_is_not_made_again_and_is_forgotten_later() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.refill(vec![write(Kind::Port, "a")]);
    let target = queue.take(now).unwrap().target();
    queue.ended(&target, End::Unseen, now);
    queue.refill(vec![write(Kind::Port, "a")]);
    assert!(queue.take(now + UNSEEN / 2).is_none());
    assert_eq!(queue.deadline(now), Some(now + UNSEEN));
    queue.refill(vec![write(Kind::Port, "a")]);
    assert!(queue.take(now + UNSEEN).is_some());
    queue.deadline(now + UNSEEN + RETRY.1);
    assert!(queue.failed.is_empty());
}
