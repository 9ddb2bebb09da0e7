//! From a port that is written to a guest that is there.

use std::time::{Duration, Instant};

use crate::guest::Guest;
use crate::meter::{ms, quantile};
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::Host;
use crate::yaml;

const ROUNDS: usize = 40;
/// Between two ports, so that none meets the work of the one before.
const PAUSE: Duration = Duration::from_millis(50);

/// One port after the other into a small world, by hand and by DHCP in turns.
pub fn rows() -> Vec<Row> {
    let mut host = Host::bare();
    host.bridge("br-ext", "203.0.113.1/24");
    host.write("world.yaml", &yaml::world(2, 1));
    host.start_at("info");
    host.wait_ready("router", "r0");
    let (mut pings, mut offers, mut guests) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..2 * ROUNDS {
        let (guest, name) = (Guest::new(), format!("p{round}"));
        let client = Client::plug(&host.socket(), &name, &guest).waits();
        std::thread::sleep(PAUSE);
        let start = Instant::now();
        host.write(&format!("{name}.yaml"), &yaml::port(&name, "n0"));
        let plugged = client.plugged();
        if round % 2 == 0 {
            guest.take(&plugged);
            guest.ping([10, 0, 0, 1].into());
            pings.push(ms(start.elapsed()));
        } else {
            guest.offer(plugged.mac_address.0);
            offers.push(ms(start.elapsed()));
        }
        guests.push(guest);
    }
    let row = |name, what, target, all: Vec<f64>| {
        let note = format!("p90 {:.1} ms", quantile(all.clone(), 0.9));
        Row::new(name, what, target, quantile(all, 0.5), Unit::Ms).note(note)
    };
    vec![
        row("ping", "port written to guest pings its gateway, p50", 20.0, pings),
        row("dhcp", "port written to DHCP offer, p50", 30.0, offers),
    ]
}
