//! Times for people.

const SECS_PER_DAY: u64 = 86_400;

/// A unix time as `2026-11-03 12:00:00Z`.
pub(crate) fn utc(unix: u64) -> String {
    let (days, secs) = (unix / SECS_PER_DAY, unix % SECS_PER_DAY);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (secs / 3_600, secs / 60 % 60, secs % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// Reads a unix time, or a date as the second on which it begins (UTC).
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        return text.parse().map_err(|_| format!("{text} is too late"));
    }
    // Years of four digits only: there are not many days to look through.
    let day = (0..DAYS_MAX).find(|day| {
        let (year, month, day) = date(*day);
        text == format!("{year:04}-{month:02}-{day:02}")
    });
    day.map(|day| day * SECS_PER_DAY)
        .ok_or_else(|| format!("'{text}' is no date: write YYYY-MM-DD or a unix time"))
}

/// Days from 1970-01-01 to 2199-12-31.
const DAYS_MAX: u64 = 84_006;

/// The Gregorian date of a day counted from 1970-01-01. Years are taken to begin in March, so that
/// the leap day is the last.
const fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    const DAYS_BEFORE_1970: u64 = 719_468;
    let days = days + DAYS_BEFORE_1970;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524
        - day_of_era / (DAYS_PER_ERA - 1))
        / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (unix, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (951_868_800, "2000-03-01 00:00:00Z"),
            (1_735_689_599, "2024-12-31 23:59:59Z"),
            (1_800_000_000, "2027-01-15 08:00:00Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(utc(unix), text);
        }
    }

    #[test]
    fn dates_are_read_as_they_are_written() {
        assert_eq!(parse("1970-01-01"), Ok(0));
        assert_eq!(parse("2000-02-29"), Ok(951_782_400));
        assert_eq!(parse("2199-12-31"), Ok((DAYS_MAX - 1) * SECS_PER_DAY));
        assert_eq!(parse("1800000000"), Ok(1_800_000_000));
        for bad in [
            "",
            "2001-02-29",
            "2026-1-1",
            "-5",
            "1969-12-31",
            "yesterday",
            "99999999999999999999",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
