//! What Tenet does in a cluster, told on one: `make demo-cluster`, and a test. Three nodes, the first two on a wire to the
//! outside; two teams with the same addresses; pods of plain YAML.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bed::Bed;
use crate::show::Show;
use crate::support::Guest;

mod fall;
mod flow;
mod teller;
mod upgrade;

use flow::Flow;
use teller::{OUTSIDE, User, ping_words};

const ADMIN: User = User { name: "", namespace: "" };
const OLGA: User = User { name: "olga", namespace: "" };
const ANNA: User = User { name: "anna", namespace: "team-a" };
const BEN: User = User { name: "ben", namespace: "team-b" };

/// The floating IP.
const FLOATING: &str = "203.0.113.50";
/// Where pods answer with who they are, by TCP and UDP.
const PORT: u16 = 80;

/// Who takes part.
struct Cast {
    outside: Guest,
    /// Pods of team A: web-1, web-2, shop.
    pods: [Guest; 3],
    /// Their addresses.
    addresses: [String; 3],
}

/// Tells all of it; none: a step failed without which the others are pointless. `outside`: the host on the wire of the first
/// two nodes.
/// `most`: how long SNAT may be away when its gateway node dies.
pub fn tell(bed: &mut Bed, outside: Guest, show: &mut Show, most: Duration) -> Option<()> {
    outside.serve(PORT, "outside");
    rights(bed, show)?;
    let cast = teams(bed, outside, show)?;
    outside_world(bed, &cast, show)?;
    group(bed, &cast, show)?;
    upgrade::upgrade(bed, &cast, show)?;
    fall::fall(bed, &cast, show, most)
}

fn rights(bed: &Bed, show: &mut Show) -> Option<()> {
    show.part("The administrator makes two teams: anna edits team-a, ben edits team-b; olga runs the networks");
    ADMIN.says(show, "apply -f e2e/story/yaml/rights.yaml");
    show.step("all three may do what is theirs", || {
        ADMIN.applies(bed, include_str!("yaml/rights.yaml")).expect_ok();
        let may = |user: User, line: &str| user.runs(bed, &format!("auth can-i {line}")).ok();
        bed.until("rights and accounts are there", || {
            [ANNA, BEN]
                .iter()
                .all(|user| may(*user, "create networks.tenet.network") && user.runs(bed, "get sa default").ok())
                && may(OLGA, "create physicalnetworks.tenet.network")
                && may(OLGA, "create referencegrants.tenet.network -n infra")
        });
        ((), "edit, edit, tenet-operator".into())
    })?;
    show.part("olga opens the outside, the bridge br-ext of node-1 and node-2, to both teams");
    let text = include_str!("yaml/infra.yaml");
    OLGA.shows(show, "infra.yaml", text);
    show.step("the outside is Ready", || {
        OLGA.applies(bed, text).expect_ok();
        bed.wait("-n infra tphys/public tnet/public tsub/public", "Ready");
        ((), "PhysicalNetwork, Network, Subnet".into())
    })?;
    ANNA.shows(show, "wire.yaml", include_str!("yaml/wire.yaml"));
    show.step("the wire itself is not anna's: refused", || {
        let said = ANNA.applies(bed, include_str!("yaml/wire.yaml"));
        let why = said.err.lines().last().unwrap_or_default().to_owned();
        assert!(!said.ok() && why.contains("use"), "{said:?}");
        ((), why.rsplit_once("denied request: ").map_or(why.clone(), |(_, why)| why.to_owned()))
    });
    Some(())
}

fn teams(bed: &Bed, outside: Guest, show: &mut Show) -> Option<Cast> {
    show.part("anna writes a network, a way out and three pods on three nodes; ben the same, with the same CIDR");
    let team = |shop: &str| include_str!("yaml/team.yaml").replace("SHOP", shop);
    ANNA.shows(show, "team-a.yaml", &team("10.0.0.10"));
    BEN.says(show, "apply -f team-b.yaml         # the same; his shop has 10.0.0.77");
    show.step("six pods are Ready on three nodes", || {
        ANNA.applies(bed, &team("10.0.0.10")).expect_ok();
        BEN.applies(bed, &team("10.0.0.77")).expect_ok();
        for user in [ANNA, BEN] {
            user.runs(bed, "wait pod,trtr --all --for=condition=Ready --timeout=120s").expect_ok();
        }
        ((), "each with net1 beside the cluster's own eth0".into())
    })?;
    let ports =
        "get tport -o custom-columns=PORT:.metadata.name,ADDRESS:.status.addresses[0].ip,NODE:.status.binding.nodeName";
    ANNA.says(show, ports);
    let (pods, addresses, table) = show.step("which address is whose", || {
        let table = ANNA.runs(bed, ports).expect_ok();
        let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        let address = |port: &str| words.iter().find(|line| line[0] == port).expect("the pod has a Port")[1].to_owned();
        // Ben's pod with the address of one of anna's.
        serve(bed, BEN, "web-2");
        let pods = ["web-1", "web-2", "shop"].map(|pod| serve(bed, ANNA, pod));
        let addresses = ["web-1-net1", "web-2-net1", "shop"].map(address);
        let seen = addresses.join(", ");
        ((pods, addresses, table), seen)
    })?;
    show.quotes(&table);
    let cast = Cast { outside, pods, addresses };

    show.part("The overlay: pods of a team reach each other from node to node, and nobody else");
    pings(bed, show, ANNA, "web-1", &cast.addresses[1], "from node-1 to node-2");
    pings(bed, show, ANNA, "web-1", "10.0.0.10", "from node-1 to node-3");
    answers(show, &cast.pods[0], &cast.addresses[1], "team-a/web-2 sees ", "who is there: her own");
    pings(bed, show, BEN, "web-1", "10.0.0.77", "ben reaches his shop");
    let line = "exec web-1 -- ping -c 3 -i 0.2 -W 1 10.0.0.77";
    ANNA.says(show, line);
    show.step("anna does not: her 10.0.0.77 is nobody", || {
        let said = ANNA.runs(bed, line);
        assert!(!said.ok() && said.out.contains("100% packet loss"), "{said:?}");
        ((), ping_words(&said.out))
    });
    Some(cast)
}

fn outside_world(bed: &Bed, cast: &Cast, show: &mut Show) -> Option<()> {
    show.part("The router: SNAT to the outside, on one of the nodes that have the wire");
    show.step("kubectl -n team-a get trtr main: gateway and address", || {
        let router = bed.get("-n team-a trtr", "main");
        let status = &router["status"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        ((), format!("{}, {}", text(&status["gatewayNode"]), text(&status["externalAddresses"][0])))
    })?;
    pings(bed, show, ANNA, "web-1", OUTSIDE, "a pod reaches the outside");
    answers(show, &cast.pods[0], OUTSIDE, "outside sees 203.0.113.", "which sees the router's address");

    show.part("A floating IP: an address of the outside that leads to a pod");
    ANNA.shows(show, "floating.yaml", include_str!("yaml/floating.yaml"));
    show.step("Ready; and no group lets anybody in yet", || {
        ANNA.applies(bed, include_str!("yaml/floating.yaml")).expect_ok();
        ANNA.runs(bed, "wait tfip/shop --for=condition=Ready --timeout=60s").expect_ok();
        assert!(!cast.outside.pings(FLOATING), "what no rule allows is answered");
        ((), format!("outside -> {FLOATING}: no answer"))
    })
}

/// Edits the group under a flow of a packet a millisecond.
fn group(bed: &Bed, cast: &Cast, show: &mut Show) -> Option<()> {
    let rules = |rules: &str| {
        format!("patch tsg shop --type=merge -p {{\"spec\":{{\"rules\":[{rules}{{\"direction\":\"Egress\"}}]}}}}")
    };
    let open = rules(
        "{\"direction\":\"Ingress\",\"protocol\":\"ICMP\"},{\"direction\":\"Ingress\",\"protocol\":\"UDP\",\"port\":80},",
    );
    let shut = rules("");
    show.part("The security group is edited live, while the outside sends 1000 packets a second to the floating IP");
    let flow = || Flow::start(&cast.outside, &format!("{FLOATING}:{PORT}"));
    // A moment in which nothing comes through.
    let running = flow();
    std::thread::sleep(Duration::from_millis(300));
    ANNA.says(show, &quoted(&open));
    let opened = show.step("a rule more lets it in", || {
        let start = Instant::now();
        ANNA.runs(bed, &open).expect_ok();
        let typed = start.elapsed();
        bed.until("the ping is answered", || cast.outside.pings(FLOATING));
        ((start, typed), "the floating IP answers ping".into())
    });
    std::thread::sleep(Duration::from_millis(500));
    ANNA.says(show, &quoted(&shut));
    let closed = show.step("the rule goes", || {
        let start = Instant::now();
        ANNA.runs(bed, &shut).expect_ok();
        let typed = start.elapsed();
        bed.until("no ping is answered", || !cast.outside.pings(FLOATING));
        ((start, typed), "the floating IP is silent".into())
    });
    std::thread::sleep(Duration::from_millis(300));
    let told = running.end();
    let (opened, closed) = (opened?, closed?);
    show.step("from the edit's begin to the first packet", || {
        let first = told.first_after(opened.0).expect("a packet came through");
        assert!(!first.is_zero(), "it came before it was let in");
        ((), format!("{:.0} ms, of which kubectl took {:.0} ms at most", ms(first), ms(opened.1)))
    });
    show.step("from the edit's begin to the running flow's last", || {
        let last = told.last_after(closed.0).expect("a packet came through");
        assert!(last < Duration::from_secs(3), "it still runs {last:?} after its rule went");
        ((), format!("{:.0} ms, of which kubectl took {:.0} ms at most", ms(last), ms(closed.1)))
    });
    ANNA.says(show, "patch tsg shop …                       # and opened again");
    show.step("open again", || {
        ANNA.runs(bed, &open).expect_ok();
        bed.until("the ping is answered", || cast.outside.pings(FLOATING));
        ((), format!("outside -> {FLOATING}: answered"))
    })
}

/// A pod as a station that says who it is.
fn serve(bed: &Bed, user: User, pod: &str) -> Guest {
    let name = format!("{}/{pod}", user.namespace);
    let station = bed.station(&name);
    station.serve(PORT, &name);
    station
}

fn pings(bed: &Bed, show: &mut Show, user: User, pod: &str, to: &str, what: &str) {
    let line = format!("exec {pod} -- ping -c 3 -i 0.2 {to}");
    user.says(show, &line);
    show.step(what, || {
        let said = user.runs(bed, &line);
        assert!(said.ok() && said.out.contains(" 0% packet loss"), "{said:?}");
        ((), ping_words(&said.out))
    });
}

fn answers(show: &mut Show, from: &Guest, to: &str, wanted: &str, what: &str) {
    show.step(what, || {
        let answer = from.asks(to, PORT).unwrap_or_else(|| "no answer".into());
        assert!(answer.starts_with(wanted), "{} asks {to} and hears {answer}, not {wanted}…", from.name);
        ((), format!("{} asks {to}:{PORT}: \"{answer}\"", from.name))
    });
}

/// A line whose last word the shell is to leave alone.
fn quoted(line: &str) -> String {
    line.rsplit_once(' ').map_or_else(|| line.to_owned(), |(line, last)| format!("{line} '{last}'"))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Commands for a cluster that was left up; `enter` runs a command in it.
#[allow(dead_code, reason = "a test leaves nothing up")]
pub fn try_this(enter: &str) {
    println!(
        "
It stays up, one node of it dead. In another terminal, as root, in this repository:

  alias kubectl='{enter} kubectl'
  kubectl get nodes && kubectl get tenet -A -o wide       # all there is, and what is not Ready
  kubectl -n team-a exec shop -- ping -c 3 {OUTSIDE}
  kubectl -n team-b get pods,tport,trtr -o wide           # the same addresses, other pods
  kubectl -n team-a run more --image=guest:1 --annotations=tenet.network/networks=blue,tenet.network/default-route=blue
  kubectl -n team-a exec more -- ping -c 3 10.0.0.10
  kubectl -n team-a edit tsg shop                         # who may come in
  {enter} ip netns exec outside ping -c 3 {FLOATING}      # the floating IP
  kubectl -n team-a patch tfip shop --type=merge -p '{{\"spec\":{{\"portRef\":{{\"name\":\"more-net1\"}}}}}}'

Ctrl-C takes it all down, or `make cluster-down`."
    );
}
