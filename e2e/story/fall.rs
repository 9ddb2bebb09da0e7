//! A node dies: the one that translates for a team.

use std::time::{Duration, Instant};

use super::flow::Flow;
use super::{Cast, FLOATING, OUTSIDE, PORT, ms};
use crate::bed::Bed;
use crate::show::Show;

/// The gateway node falls: SNAT is away for no longer than `most`, and the others do not notice.
pub fn fall(bed: &mut Bed, cast: &Cast, show: &mut Show, most: Duration) -> Option<()> {
    let gateway = |bed: &Bed| bed.get("-n team-a trtr", "main")["status"]["gatewayNode"].as_str().map(str::to_owned);
    let old = gateway(bed)?;
    let at = bed.nodes.iter().position(|node| node.name == old)?;
    show.part(&format!(
        "{old}, the gateway of team-a, dies with all that runs there, under flows of 1000 packets a second"
    ));
    show.step("the leading controller is on another node", || ((), led_elsewhere(bed, &old)))?;
    let other = &cast.pods[1 - at];
    let ways = [
        ("between pods of the other nodes", other, cast.addresses[2].as_str()),
        ("SNAT", other, OUTSIDE),
        ("floating IP", &cast.outside, FLOATING),
    ];
    let flows = ways.map(|(_, from, to)| Flow::start(from, &format!("{to}:{PORT}")));
    std::thread::sleep(Duration::from_millis(500));
    show.says(&format!("# {old}: its wires are cut, and all its processes and namespaces end"));
    let moved = show.step("killed; another node is the gateway", || {
        bed.nodes[at].fall();
        bed.until("another node is the gateway", || gateway(bed).is_some_and(|now| now != old));
        ((), format!("kubectl -n team-a get trtr main: {}", gateway(bed).unwrap_or_default()))
    });
    show.step("and the outside is there again", || {
        let start = Instant::now();
        for (from, to) in [(other, OUTSIDE), (&cast.outside, FLOATING)] {
            bed.until("the ping is answered", || from.pings(to));
        }
        ((), format!("{:.0} ms later", ms(start.elapsed())))
    });
    std::thread::sleep(Duration::from_millis(500));
    let [among, snat, floating] = flows.map(Flow::end);
    show.step(&format!("{}: packets lost", ways[0].0), || {
        assert!(among.lost() == 0 && among.sent > 1000, "{}", among.words());
        ((), among.words())
    });
    show.step("SNAT was away, from last to first answer", || {
        let (away, words) = (snat.away(), snat.words());
        assert!(away <= most, "{:.0} ms, more than {most:?}; {words} packets lost", ms(away));
        ((), format!("{:.0} ms, {words} packets lost", ms(away)))
    });
    show.step("the floating IP was away", || {
        ((), format!("{:.0} ms, {} packets lost", ms(floating.away()), floating.words()))
    });
    moved
}

/// Sees to it that a node's end is not the leading controller's: who follows waits for the end of its term, too.
fn led_elsewhere(bed: &Bed, node: &str) -> String {
    let leader = || bed.kubectl("-n tenet-system get lease tenet-controller -o jsonpath={.spec.holderIdentity}");
    let on = |pod: &str| bed.kubectl(&format!("-n tenet-system get pod {pod} -o jsonpath={{.spec.nodeName}}"));
    let first = leader();
    if on(&first) == node {
        bed.kubectl(&format!("-n tenet-system delete pod {first} --wait=false"));
        bed.until("the other leads", || leader() != first && !leader().is_empty());
    }
    let now = leader();
    let place = on(&now);
    assert_ne!(place, node, "both controllers are on {node}");
    if now == first { format!("{now}, on {place}") } else { format!("{now}, on {place}, since {first} was deleted") }
}
