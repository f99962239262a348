//! Event time: a realtime anchor taken once, plus the boot-time clock, so that a clock step cannot reorder.

use agentprov_model::EventTime;

/// Tells event time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    realtime_anchor: i64,
    boottime_anchor: i64,
}

impl Clock {
    /// Takes the anchor now.
    pub fn start() -> Self {
        Self { realtime_anchor: read(libc::CLOCK_REALTIME), boottime_anchor: read(libc::CLOCK_BOOTTIME) }
    }

    /// Now, in nanoseconds since the Unix epoch.
    pub fn now(&self) -> EventTime {
        let passed = read(libc::CLOCK_BOOTTIME).saturating_sub(self.boottime_anchor);
        EventTime::from_nanos(self.realtime_anchor.saturating_add(passed))
    }
}

#[allow(unsafe_code, reason = "clock_gettime(2)")]
fn read(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a writable timespec.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}
