//! Sizes, durations and counts for people.

/// `1.5 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// `850 us`, `12.3 ms`, `4.20 s`, `3 min 05 s`, `2 h 07 min`.
pub(crate) fn duration_ns(nanos: u64) -> String {
    let seconds = nanos as f64 / 1e9;
    if nanos < 1_000_000 {
        format!("{} us", nanos / 1_000)
    } else if nanos < 1_000_000_000 {
        format!("{:.1} ms", nanos as f64 / 1e6)
    } else if seconds < 60.0 {
        format!("{seconds:.2} s")
    } else if seconds < 3600.0 {
        format!("{} min {:02} s", seconds as u64 / 60, seconds as u64 % 60)
    } else {
        format!("{} h {:02} min", seconds as u64 / 3600, seconds as u64 / 60 % 60)
    }
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: u64, one: &str) -> String {
    let ending = if number == 1 {
        String::new()
    } else if one.ends_with('s') {
        "es".to_owned()
    } else {
        "s".to_owned()
    };
    format!("{number} {one}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        assert_eq!([bytes(0), bytes(1023), bytes(1536), bytes(5 << 30)], ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]);
        assert_eq!(duration_ns(850_000), "850 us");
        assert_eq!(duration_ns(12_340_000), "12.3 ms");
        assert_eq!(duration_ns(185_000_000_000), "3 min 05 s");
        assert_eq!([count(1, "file"), count(2, "process")], ["1 file", "2 processes"]);
    }
}
