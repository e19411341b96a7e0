//! What the checks give cannot be written down by anybody else.

use faregate::{
    accounts::{Seat, Taken},
    admission::{Admitted, Caller, Permitted, Subscriber},
};

fn forge<T>() -> T {
    loop {}
}

fn main() {
    let _ = Caller { key: forge() };
    let _ = Subscriber {
        caller: forge(),
        notice: None,
    };
    let _ = Admitted {
        subscriber: forge(),
        seat: forge(),
    };
    let _ = Permitted {
        admitted: forge(),
        model: None,
        terms: None,
    };
    let _ = Seat {
        book: forge(),
        slots: forge(),
    };
    let _ = Taken {
        answers: 1,
        ..forge()
    };
}
