//! Taking an address.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::{pressure::Pressure, settings::Settings, tuning::Tuning};

/// Connections that the kernel keeps for us until we take them.
const BACKLOG: i32 = 1024;

/// A client that vanished is found after 30 seconds when there is something to send, after a few probes otherwise.
pub(super) const VANISHED: Duration = Duration::from_secs(30);
const PROBES: u32 = 3;

/// What the kernel may hold of an answer without having sent it. Its default is several megabytes, which a client that
/// does not read would make it keep.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 << 10;

/// An address that is ours, not yet served. The kernel already takes connections for it.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) tuning: Tuning,
    pub(super) pressure: Pressure,
}

/// An address that could not be taken. Written for the person who starts the process.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", advice(.cause))]
pub struct BindError {
    /// The address asked for.
    pub address: SocketAddr,
    /// What the kernel said; the text says it already, so it is no source.
    pub cause: io::Error,
}

impl Listener {
    /// Takes the address. Needs no runtime, so that it can be done before anything else is started.
    ///
    /// # Errors
    /// When the address is in use, forbidden or not this machine's.
    pub fn bind(settings: Settings) -> Result<Self, BindError> {
        let address = settings.address;
        listen(address)
            .and_then(|socket| Ok((socket.local_addr()?, socket)))
            .map(|(address, socket)| Self {
                socket,
                address,
                tuning: Tuning::new(settings),
                pressure: Pressure::default(),
            })
            .map_err(|cause| BindError { address, cause })
    }

    /// Idle connections close early while `pressure` is on.
    #[must_use]
    pub fn under(self, pressure: Pressure) -> Self {
        Self { pressure, ..self }
    }

    /// A handle to change how it serves, before and while it does.
    #[must_use]
    pub fn tuning(&self) -> Tuning {
        self.tuning.clone()
    }

    /// The address taken, with the port that the kernel chose where port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    // A restart must not wait for the connections of the last run to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    configure(&socket)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepted connections inherit these from the listening socket on Linux, which saves the calls for each.
fn configure(socket: &Socket) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(VANISHED)
            .with_interval(VANISHED)
            .with_retries(PROBES),
    )?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(VANISHED))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
    }
    Ok(())
}

/// What happened and what to do about it.
fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the address is in use. Another process listens there, perhaps a second faregate: stop it, or listen on \
             another port. `ss -ltnp` shows who has it"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "not permitted. Ports below 1024 need a privilege (CAP_NET_BIND_SERVICE): listen on a higher port, or let \
             the service manager grant it"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have that address. `ip address` shows those it has; 0.0.0.0 and [::] stand for all"
                .to_owned()
        }
        _ => error.to_string(),
    }
}
