//! Secret tokens that authorise requests.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

/// A token of letters, digits and some punctuation.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(Arc<str>);

/// The shortest and longest token, in characters.
const LENGTH_MIN: usize = 16;
const LENGTH_MAX: usize = 128;

impl Token {
    /// The error does not repeat the text.
    pub(crate) fn parse(text: &str, punctuation: &str) -> Result<Token, String> {
        let is_valid = |c: char| c.is_ascii_alphanumeric() || punctuation.contains(c);
        if !text.chars().all(is_valid) {
            return Err(["the token may contain only letters, digits and ", punctuation].concat());
        }
        match (LENGTH_MIN..=LENGTH_MAX).contains(&text.len()) {
            true => Ok(Token(text.into())),
            false => Err(format!("the token must have {LENGTH_MIN} to {LENGTH_MAX} characters")),
        }
    }

    /// Compares a token in a time that depends on the length of `given` only.
    pub(crate) fn matches(&self, given: &[u8]) -> bool {
        let token = self.0.as_bytes();
        let mut difference = token.len() ^ given.len();
        for (index, byte) in given.iter().enumerate() {
            let own = token.get(index % token.len().max(1)).copied().unwrap_or_default();
            difference = black_box(difference | usize::from(own ^ byte));
        }
        black_box(difference) == 0
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Omits the text.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0123456789abcdef";

    #[test]
    fn tokens_are_equal_only_if_every_byte_is() {
        let token = Token::parse(TEXT, "").expect("valid");
        assert!(token.matches(TEXT.as_bytes()));
        for end in 0..TEXT.len() {
            assert!(!token.matches(&TEXT.as_bytes()[..end]));
            for bit in 0..8 {
                let mut other = TEXT.as_bytes().to_vec();
                other[end] ^= 1 << bit;
                assert!(!token.matches(&other));
            }
        }
        for other in [[TEXT, TEXT].concat(), format!("{TEXT}0"), "0".to_owned()] {
            assert!(!token.matches(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn characters_and_length_are_validated_without_repeating_the_token() {
        let long = "x".repeat(128);
        for (text, punctuation, error) in [
            (TEXT, "", ""),
            ("abc/+=-._~ABC012", "-._~+/=", ""),
            (&long, "", ""),
            ("0123456789abcde", "", "the token must have 16 to 128 characters"),
            (&*format!("{long}x"), "", "the token must have 16 to 128 characters"),
            ("", "-", "the token must have 16 to 128 characters"),
            ("0123456789/bcdef", "-._~", "the token may contain only letters, digits and -._~"),
            ("0123456789ébcdef", "-._~", "the token may contain only letters, digits and -._~"),
            ("0123456789 bcdef", "-", "the token may contain only letters, digits and -"),
        ] {
            let parsed = Token::parse(text, punctuation);
            assert!(!format!("{parsed:?}").contains("0123"));
            assert_eq!(parsed.err().unwrap_or_default(), error, "{text}");
        }
    }
}
