//! Amounts of money as an operator types them.

/// Picodollars in a dollar.
const PICODOLLARS_PER_DOLLAR: u64 = 1_000_000_000_000;
/// Decimals of a dollar that a picodollar has.
const DECIMALS: usize = 12;

/// Reads `$1.00`, `1.00usd` or `1000000p$` (picodollars). A bare number is refused: it could mean
/// either, and they differ by 10¹².
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let usd = text
        .strip_suffix("usd")
        .or_else(|| text.strip_suffix("USD"));
    if let Some(digits) = text.strip_suffix("p$") {
        return whole(digits.trim_end(), text);
    }
    match text.strip_prefix('$').or(usd) {
        Some(digits) => dollars(digits.trim(), text),
        None => Err(format!(
            "'{text}' names no unit: write $1.00, 1.00usd or 1000000p$"
        )),
    }
}

fn whole(digits: &str, text: &str) -> Result<u64, String> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "'{text}' is not an amount: write $1.00, 1.00usd or 1000000p$"
        ));
    }
    digits
        .parse()
        .map_err(|_| format!("'{text}' is too much: the most is {}", show(u64::MAX)))
}

fn dollars(digits: &str, text: &str) -> Result<u64, String> {
    let (units, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    if fraction.len() > DECIMALS {
        return Err(format!(
            "'{text}' has more than {DECIMALS} decimals: a picodollar is the least"
        ));
    }
    let units = whole(units, text)?;
    let missing = (DECIMALS - fraction.len()) as u32;
    let fraction = whole(fraction, text)? * 10_u64.pow(missing);
    units
        .checked_mul(PICODOLLARS_PER_DOLLAR)
        .and_then(|amount| amount.checked_add(fraction))
        .ok_or_else(|| format!("'{text}' is too much: the most is {}", show(u64::MAX)))
}

/// Shows picodollars as dollars, without zeros that say nothing, with at least two decimals.
pub(crate) fn show(picodollars: u64) -> String {
    let units = picodollars / PICODOLLARS_PER_DOLLAR;
    let fraction = format!("{:012}", picodollars % PICODOLLARS_PER_DOLLAR);
    let kept = fraction.trim_end_matches('0').len().max(2);
    format!("${units}.{}", &fraction[..kept])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_forms_are_read() {
        for (text, expected) in [
            ("$1.00", 1_000_000_000_000),
            ("$1", 1_000_000_000_000),
            ("1.00usd", 1_000_000_000_000),
            ("0.000001 USD", 1_000_000),
            ("1000000p$", 1_000_000),
            ("$0.000000000001", 1),
            ("18446744073709551615p$", u64::MAX),
            ("$18446744.073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_unclear_is_refused() {
        for text in [
            "",
            "1",
            "1.00",
            "$",
            "usd",
            "p$",
            "$-1",
            "-1p$",
            "+1p$",
            "$1.0000000000001",
            "$.5",
            "$1.",
            "$1e3",
            "1,00usd",
            "$18446744.073709551616",
            "18446744073709551616p$",
            "1.5p$",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        assert_eq!(show(0), "$0.00");
        assert_eq!(show(1_000_000), "$0.000001");
        assert_eq!(show(336_000), "$0.000000336");
        for amount in [
            0,
            1,
            10,
            999,
            1_000_000_000_000,
            123_456_789_012_345_678,
            u64::MAX,
        ] {
            assert_eq!(parse(&show(amount)), Ok(amount));
        }
    }

    proptest! {
        #[test]
        fn every_amount_is_shown_so_that_it_can_be_typed(amount: u64) {
            prop_assert_eq!(parse(&show(amount)), Ok(amount));
            prop_assert_eq!(parse(&format!("{amount}p$")), Ok(amount));
        }

        #[test]
        fn what_is_typed_is_an_amount_or_refused(text in "[$+-]?[0-9]{0,22}[.,]?[0-9]{0,14} ?(usd|USD|p[$])?") {
            if let Ok(amount) = parse(&text) {
                prop_assert_eq!(parse(&show(amount)), Ok(amount));
            }
        }

        #[test]
        fn garbage_is_refused_in_words(text in ".{0,40}") {
            if let Err(why) = parse(&text) {
                prop_assert!(!why.is_empty());
            }
        }
    }
}
