//! Input that nobody means well with.

use serde_json::json;

use crate::runtime::{Pod, error, host};
use crate::support::Said;

/// Numbers that look random, and are the same each time (xorshift).
fn numbers() -> impl Iterator<Item = u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state)
    })
}

#[test]
fn whatever_comes_the_answer_is_one_of_the_specification_and_the_agent_lives() {
    let host = host();
    let a = host.guest("a");
    let pod = Pod::new(&host, &a, &[("ports", "web-0")]);
    let good = pod.config.to_string().into_bytes();
    let mut inputs = vec![
        Vec::new(),
        b"null".to_vec(),
        b"{".to_vec(),
        vec![b' '; 2 << 20],
        format!("{{\"prevResult\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
        pod.clone()
            .with("prevResult", json!({"cniVersion": "1.1.0", "interfaces": "x"}))
            .config
            .to_string()
            .into_bytes(),
        pod.clone().with("socket", "/dev/zero").config.to_string().into_bytes(),
        pod.clone().with("socket", "\u{0}").config.to_string().into_bytes(),
        pod.clone().with("name", "x".repeat(900_000)).config.to_string().into_bytes(),
    ];
    let mut random = numbers();
    let mut next = |below: usize| usize::try_from(random.next().unwrap() % below as u64).unwrap();
    for _ in 0..100 {
        let mut input = good.clone();
        for _ in 0..=next(4) {
            let at = next(input.len());
            match next(3) {
                0 => input[at] = u8::try_from(next(256)).unwrap(),
                1 => input.truncate(at.max(1)),
                _ => drop(input.splice(at..at, std::iter::repeat_n(b"[{\"0,:"[next(6)], next(50)))),
            }
        }
        inputs.push(input);
    }
    for input in &inputs {
        for command in ["ADD", "DEL", "GC"] {
            let said = Said::of(&pod.start(command, input).wait_with_output().unwrap());
            match said.code {
                Some(0) => {}
                Some(1) => drop(error(&said)),
                _ => panic!("{command} {}: {said:?}", String::from_utf8_lossy(&input[..input.len().min(2000)])),
            }
        }
    }
    pod.quiet("DEL");
    pod.add();
    pod.quiet("CHECK");
}
