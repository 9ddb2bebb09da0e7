//! Agents are upgraded under traffic.

use super::flow::Flow;
use super::{ADMIN, Cast, FLOATING, OUTSIDE, PORT};
use crate::bed::Bed;
use crate::show::Show;

/// The tag that the image gets on every node, as a registry would give it.
const NEXT: &str = "tenet:0.1.0-next";

/// A rolling update of all agents under three flows; none of them loses a packet.
pub fn upgrade(bed: &Bed, cast: &Cast, show: &mut Show) -> Option<()> {
    show.part("All agents are upgraded by a rolling update, under three flows of 1000 packets a second");
    let [one, two, _] = &cast.pods;
    let ways = [
        ("overlay, node-1 to node-2", one, cast.addresses[1].as_str()),
        ("SNAT, node-2 to the outside", two, OUTSIDE),
        ("floating IP, outside to node-3", &cast.outside, FLOATING),
    ];
    let flows = ways.map(|(name, from, to)| (name, Flow::start(from, &format!("{to}:{PORT}"))));
    let line = format!("-n tenet-system set image daemonset/tenet-agent cni={NEXT} agent={NEXT}");
    let rollout = "-n tenet-system rollout status daemonset/tenet-agent --timeout=120s";
    let tag = format!("images tag docker.io/library/tenet:0.1.0 docker.io/library/{NEXT}");
    show.says(&format!("$ ctr -n k8s.io {tag}   # on each node, as a pull would"));
    ADMIN.says(show, &line);
    ADMIN.says(show, rollout);
    let done = show.step("every node's agent is a new one, and Ready", || {
        for node in &bed.nodes {
            node.ctr(&tag).expect_ok();
        }
        bed.kubectl(&line);
        bed.kubectl(rollout);
        bed.wait("tagent --all", "Ready");
        let images = "-n tenet-system get pods -l app.kubernetes.io/component=agent -o jsonpath={.items[*].spec.containers[*].image}";
        let images = bed.kubectl(images);
        assert!(images.split_whitespace().all(|image| image == NEXT), "{images}");
        ((), images)
    });
    // Also what comes late comes under the flows.
    std::thread::sleep(std::time::Duration::from_millis(500));
    for (name, flow) in flows {
        let told = flow.end();
        show.step(&format!("{name}: packets lost"), || {
            assert!(told.lost() == 0 && told.sent > 1000, "{}", told.words());
            ((), told.words())
        });
    }
    done
}
