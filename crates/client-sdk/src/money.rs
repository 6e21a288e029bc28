//! Amounts as people write them.

use crate::error::SdkError;

/// Picodollars in a dollar.
pub const PUSD_PER_USD: u64 = 1_000_000_000_000;
const DECIMALS: usize = 12;

/// Reads an amount in US dollars with up to 12 decimals, `1`, `$0.50`, `0.000001usd`, or in
/// picodollars, `1000000p$`.
///
/// # Errors
/// [`SdkError::Amount`] for anything else, and for more than 18 million dollars.
pub fn parse_usd(text: &str) -> Result<u64, SdkError> {
    let bad = || SdkError::Amount(text.chars().take(40).collect());
    let digits = text.trim();
    if let Some(pusd) = digits.strip_suffix("p$") {
        let plain = !pusd.is_empty() && pusd.bytes().all(|byte| byte.is_ascii_digit());
        return pusd.parse().ok().filter(|_| plain).ok_or_else(bad);
    }
    let digits = digits.strip_suffix("usd").unwrap_or(digits);
    let digits = digits.strip_prefix('$').unwrap_or(digits);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !numeric(whole) || !numeric(fraction) || fraction.len() > DECIMALS {
        return Err(bad());
    }
    if digits.ends_with('.') {
        return Err(bad());
    }
    let whole: u64 = whole.parse().map_err(|_| bad())?;
    let fraction: u64 = format!("{fraction:0<DECIMALS$}")
        .parse()
        .map_err(|_| bad())?;
    whole
        .checked_mul(PUSD_PER_USD)
        .and_then(|pusd| pusd.checked_add(fraction))
        .ok_or_else(bad)
}

/// Writes picodollars as US dollars, exactly, with at least two decimals: `$0.00002`.
#[must_use]
pub fn format_usd(pusd: u128) -> String {
    let unit = u128::from(PUSD_PER_USD);
    let fraction = format!("{:012}", pusd % unit);
    let short = fraction.trim_end_matches('0');
    format!("${}.{short:0<2}", pusd / unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(parse_usd("1").unwrap(), PUSD_PER_USD);
        assert_eq!(parse_usd(" $0.50 ").unwrap(), PUSD_PER_USD / 2);
        assert_eq!(parse_usd("0.000001").unwrap(), 1_000_000);
        assert_eq!(parse_usd("0.000000000001").unwrap(), 1);
        assert_eq!(parse_usd("1.00usd").unwrap(), PUSD_PER_USD);
        assert_eq!(parse_usd("1000000p$").unwrap(), 1_000_000);
        for bad in [
            "",
            ".",
            "$",
            "-1",
            "1.",
            "1e3",
            "1,5",
            "0.0000000000001",
            "18446745",
            "1 2",
            "p$",
            "+1p$",
            "1.5p$",
            "usd",
        ] {
            assert!(parse_usd(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn writes_exactly() {
        assert_eq!(format_usd(0), "$0.00");
        assert_eq!(format_usd(20_000_000), "$0.00002");
        assert_eq!(format_usd(u128::from(PUSD_PER_USD)), "$1.00");
        assert_eq!(format_usd(336_000), "$0.000000336");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(pusd: u64) {
            prop_assert_eq!(parse_usd(&format_usd(u128::from(pusd))).unwrap(), pusd);
        }
    }
}
