//! `#[serde(with = "text::decimal")]` for a bare `u128`: a decimal string in its shortest form.

pub(crate) mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    // serde hands the field over by reference, whatever its size.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn serialize<S: Serializer>(value: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        let text = String::deserialize(from)?;
        text.parse()
            .ok()
            .filter(|number: &u128| number.to_string() == text)
            .ok_or_else(|| D::Error::custom("expected a decimal string below 2^128"))
    }
}
