//! A reservation cannot be made up: not an empty one either.

use faregate::metering::Reservation;

fn main() {
    let _ = Reservation(None);
}
