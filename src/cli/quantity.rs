//! Ages and sizes as people type them: `30d`, `512MiB`.

/// Reads a length of time, a whole number with s, m, h, d or w behind it, in seconds.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)];
    read(text, &units)
        .ok_or_else(|| "give a whole number with a unit: s, m, h, d or w, such as 30d".to_owned())
}

/// Reads a number of bytes, alone or with a unit behind it.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
        ("", 1),
    ];
    read(text, &units)
        .ok_or_else(|| "give a whole number of bytes, or one with a unit, such as 512MiB".to_owned())
}

fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (stem, unit) = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))?;
    let is_number = !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { stem.parse::<u64>().ok()?.checked_mul(unit) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_read_whole_or_refused() {
        for (text, expected) in [
            ("30d", Some(2_592_000)),
            ("90s", Some(90)),
            ("2w", Some(1_209_600)),
            ("30", None),
            ("d", None),
            ("-1d", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("0", Some(0)),
            ("512MiB", Some(512 << 20)),
            ("1GB", Some(1_000_000_000)),
            ("7B", Some(7)),
            ("1.5GiB", None),
            ("many", None),
            ("99999999999TiB", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }
}
