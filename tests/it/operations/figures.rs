//! What the system knows of a process.

use std::{
    fs::{self, DirEntry},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

fn read(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
}

/// Memory that is the process's own, in KiB. Pages of files, its program's among them, come and go as the kernel likes.
pub(super) fn own_memory(pid: u32) -> u64 {
    let status = read(pid, "status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let figure = line.unwrap().split_whitespace().next().unwrap();
    figure.parse().unwrap()
}

/// Open files, sockets included.
pub(super) fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Open files that are not in this folder. SQLite may not close a reader's descriptor before the writer's (POSIX takes the
/// locks of both away with either) and keeps it for the next reader: there are as many as ever read at once.
pub(super) fn descriptors_outside(pid: u32, folder: &Path) -> usize {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let inside =
        |entry: &DirEntry| fs::read_link(entry.path()).is_ok_and(|to| to.starts_with(folder));
    all.filter(|entry| !inside(entry.as_ref().unwrap())).count()
}

/// Time on a processor, in hundredths of a second.
pub(super) fn ticks(pid: u32) -> u64 {
    let stat = read(pid, "stat");
    // The name, in parentheses, may have spaces.
    let (_, after) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = after.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Where a process listens, IPv4 and IPv6.
pub(crate) fn listening(pid: u32) -> Vec<SocketAddr> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| {
            fs::read_link(entry.ok()?.path())
                .ok()?
                .to_str()
                .map(str::to_owned)
        })
        .collect();
    let mut found = Vec::new();
    for table in ["net/tcp", "net/tcp6"] {
        for line in read(pid, table).lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields[1], fields[3], fields[9]);
            if state == "0A" && sockets.contains(&format!("socket:[{inode}]")) {
                found.push(address(local));
            }
        }
    }
    found
}

/// An address of `/proc/net/tcp`: its 32-bit words in the byte order of the machine, in hexadecimal.
fn address(text: &str) -> SocketAddr {
    let (host, port) = text.split_once(':').unwrap();
    let port = u16::from_str_radix(port, 16).unwrap();
    let word = |at: usize| u32::from_str_radix(&host[at * 8..at * 8 + 8], 16).unwrap();
    let ip = if host.len() == 8 {
        IpAddr::V4(Ipv4Addr::from(word(0).to_ne_bytes()))
    } else {
        let mut bytes = [0; 16];
        for at in 0..4 {
            bytes[at * 4..at * 4 + 4].copy_from_slice(&word(at).to_ne_bytes());
        }
        IpAddr::V6(bytes.into())
    };
    SocketAddr::new(ip, port)
}

#[test]
fn addresses_are_read() {
    if cfg!(target_endian = "little") {
        assert_eq!(address("0100007F:20D2"), "127.0.0.1:8402".parse().unwrap());
        let loopback = "00000000000000000000000001000000:0050";
        assert_eq!(address(loopback), "[::1]:80".parse().unwrap());
    }
}
