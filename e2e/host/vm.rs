//! A virtual machine: a guest with a kernel of its own, behind a tap.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tenet::api::Protocol::TCP;

use crate::floating::OUTSIDE;
use crate::support::{Host, repository, run, until};

const WORLD: &str = "
Network blue {mtu: 1400}
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Subnet db {networkRef: {name: blue}, cidr: 10.0.1.0/24}
Port vm {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}], hostname: machine}
Port near {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Port far {networkRef: {name: blue}, addresses: [{ip: 10.0.1.12}]}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}], externalGateway: {networkRef: {name: public}}}
FloatingIP f {networkRef: {name: public}, ip: 203.0.113.100, portRef: {name: vm}}
";

/// A kernel in software boots in 15 s where nothing else runs.
const BOOTS: Duration = Duration::from_mins(2);

/// What the machine does: it loads what its network card needs, gets a lease, pings its neighbour, through the router and the
/// outside, with packets as large as the network carries, says how that went, and answers on port 80.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
exec </dev/ttyS0 >/dev/ttyS0 2>&1
mount -t proc proc /proc
mount -t sysfs sys /sys
# Which of them needs which differs from kernel to kernel.
for round in 1 2 3 4; do
	for module in virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net; do
		insmod /modules/$module.ko 2>/dev/null
	done
done
ip link set lo up
udhcpc -i eth0 -nq -t 20 -T 1 -O mtu -O staticroutes -s /lease.sh
echo "SAYS mtu $(cat /sys/class/net/eth0/mtu)"
for to in 10.0.0.12 10.0.1.12 203.0.113.1; do
	ping -c 3 -W 2 -s 1372 $to >/dev/null && echo "SAYS pings $to"
done
echo "SAYS done"
nc -ll -p 80 -e /bin/echo machine
"#;

/// Where a kernel and its modules are: `make deps` puts them there.
fn kernel() -> PathBuf {
    let folder = std::env::var_os("TENET_GUEST").map_or_else(|| repository().join(".cache/guest"), PathBuf::from);
    assert!(folder.join("vmlinuz").exists(), "no kernel in {}: `make deps` downloads one", folder.display());
    folder
}

/// A machine that runs in software, whatever this one can do.
struct Machine {
    emulator: Child,
    console: PathBuf,
}

impl Machine {
    fn boot(host: &Host, mac: &str) -> Self {
        let (kernel, root) = (kernel(), host.dir.join("initramfs"));
        for folder in ["bin", "dev", "proc", "sys", "modules"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for entry in fs::read_dir(&kernel).unwrap().map(|entry| entry.unwrap()) {
            if entry.path().extension().is_some_and(|extension| extension == "ko") {
                fs::copy(entry.path(), root.join("modules").join(entry.file_name())).unwrap();
            }
        }
        let busybox = run("which busybox").expect_ok();
        fs::copy(busybox.trim(), root.join("bin/busybox")).unwrap();
        fs::copy(repository().join("examples/lease.sh"), root.join("lease.sh")).unwrap();
        fs::write(root.join("init"), INIT).unwrap();
        let (image, console) = (host.dir.join("initramfs.cpio"), host.dir.join("console"));
        let pack = format!(
            "cd {root} && ln -s busybox bin/sh && chmod +x init lease.sh && find . | busybox cpio -o -H newc > {image}",
            root = root.display(),
            image = image.display()
        );
        assert!(Command::new("sh").args(["-c", &pack]).stderr(Stdio::null()).status().unwrap().success());
        let emulator = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "qemu-system-x86_64"])
            .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-m", "192"])
            .args(["-machine", "pc,accel=tcg", "-append", "console=ttyS0 quiet panic=-1"])
            .arg("-kernel")
            .arg(kernel.join("vmlinuz"))
            .arg("-initrd")
            .arg(&image)
            .args(["-serial", &format!("file:{}", console.display())])
            .args(["-netdev", "tap,id=net,ifname=tap0,script=no,downscript=no"])
            .args(["-device", &format!("virtio-net-pci,netdev=net,mac={mac},romfile=")])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        until("the machine has its tap", || run("ip link show tap0").ok());
        Self { emulator, console }
    }

    /// What it said on its console.
    fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.console).unwrap_or_default()).into_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the machine\n{}", self.said());
        }
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
    }
}

#[test]
fn a_virtual_machine_boots_takes_its_lease_and_is_on_its_network_and_outside() {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    host.declare("all.yaml", &[OUTSIDE, WORLD].concat());
    host.start();
    let (near, far, outside) = (host.plugged("near", "near"), host.plugged("far", "far"), host.outside());
    [&near, &far, &outside].into_iter().for_each(|guest| guest.answers(80));
    let mac = host.object("port", "vm")["status"]["macAddress"].as_str().unwrap().to_owned();
    let start = Instant::now();
    let mut machine = Machine::boot(&host, &mac);
    host.tenet("plug vm --tap tap0 --timeout 10s").expect_ok();
    while !machine.said().contains("SAYS done") && start.elapsed() < BOOTS {
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("up after {:?}", start.elapsed());
    let said = machine.said();
    let told = ["ip=10.0.0.11/24", "router=10.0.0.1", "mtu=1400", "hostname=machine", "SAYS mtu 1400"];
    let reached = ["SAYS pings 10.0.0.12", "SAYS pings 10.0.1.12", "SAYS pings 203.0.113.1"];
    for words in told.into_iter().chain(reached) {
        assert!(said.contains(words), "the machine did not say {words}:\n{said}");
    }
    near.wait_pings("10.0.0.11");
    far.wait_pings("10.0.0.11");
    for (guest, to) in [(&near, "10.0.0.11"), (&far, "10.0.0.11"), (&outside, "203.0.113.100")] {
        until("the machine answers", || {
            guest.seen(TCP, &format!("{to}:80")).is_some_and(|seen| seen.starts_with("machine"))
        });
    }
    // The agent dies and comes back; the machine is switched off.
    host.stop(nix::sys::signal::Signal::SIGKILL);
    assert!(outside.pings("203.0.113.100"));
    host.start();
    assert!(outside.pings("203.0.113.100"));
    machine.emulator.kill().unwrap();
    machine.emulator.wait().unwrap();
    until("nobody is plugged", || host.object("port", "vm")["status"]["binding"].is_null());
}
