//! Members of a JSON object, by path, with words for what is not there.

use serde_json::Value;

use super::{Illegible, News, Verified};
use crate::domain::{CURRENCY, NanoUsd, Timestamp, Vendor};

/// Longer texts are no ids and no words of a vendor.
const LONGEST: usize = Vendor::LONGEST_TEXT;

/// The last second of the calendar, 9999-12-30T22:00:00Z: what comes later cannot be written down and read again.
const LATEST: i64 = 253_402_207_200;

/// A JSON value inside an event and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node<'v> {
    value: &'v Value,
    path: String,
}

/// What could not be read, as a clause: `data.object.currency is not a string`.
pub(super) type Wrong = String;

const NULL: &Value = &Value::Null;

/// The whole of a body.
pub(super) fn document(verified: &Verified<'_>) -> Result<Value, Illegible> {
    serde_json::from_slice(verified.body())
        .map_err(|error| Illegible::Nameless(format!("the body is not JSON: {error}")))
}

impl<'v> Node<'v> {
    pub(super) const fn root(value: &'v Value) -> Self {
        Self {
            value,
            path: String::new(),
        }
    }

    /// What is below, by names with dots between; null where it is not there.
    pub(super) fn at(&self, path: &str) -> Self {
        let mut value = self.value;
        for name in path.split('.') {
            value = value.get(name).unwrap_or(NULL);
        }
        let path = match self.path.as_str() {
            "" => path.to_owned(),
            above => format!("{above}.{path}"),
        };
        Self { value, path }
    }

    pub(super) fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// The items of a list; none where it is anything else.
    pub(super) fn items(&self) -> impl Iterator<Item = Node<'v>> {
        let items = self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().map(|value| Node {
            value,
            path: format!("{}[]", self.path),
        })
    }

    /// A text, where there is one; empty and long ones are none.
    pub(super) fn text(&self) -> Option<&'v str> {
        let text = self.value.as_str()?.trim();
        (!text.is_empty() && text.len() <= LONGEST).then_some(text)
    }

    /// A text that has to be there.
    pub(super) fn require(&self) -> Result<&'v str, Wrong> {
        self.text().ok_or_else(|| self.no_text("a string"))
    }

    /// An id: a text, a number as Lemon Squeezy has them, or an object that has one, where the vendor was asked to
    /// write it out.
    pub(super) fn id(&self) -> Option<String> {
        let number = self.value.as_u64().map(|number| number.to_string());
        let text = || self.text().map(str::to_owned);
        number.or_else(text).or_else(|| {
            let inner = self.value.as_object()?.get("id")?.as_str()?;
            Some(inner.to_owned()).filter(|id| !id.is_empty() && id.len() <= LONGEST)
        })
    }

    /// An id that has to be there.
    pub(super) fn require_id(&self) -> Result<String, Wrong> {
        self.id().ok_or_else(|| self.no_text("an id"))
    }

    pub(super) fn flag(&self) -> Option<bool> {
        self.value.as_bool()
    }

    /// Seconds since 1970; `None` where there are none.
    pub(super) fn unix(&self) -> Result<Option<Timestamp>, Wrong> {
        if self.is_null() {
            return Ok(None);
        }
        let seconds = self.value.as_i64();
        let seconds = seconds.filter(|seconds| (0..=LATEST).contains(seconds));
        let at = seconds.map(|seconds| Timestamp::from_millis(seconds * 1000));
        at.map(Some).ok_or_else(|| self.not("a time in seconds"))
    }

    /// RFC 3339; `None` where there is nothing.
    pub(super) fn instant(&self) -> Result<Option<Timestamp>, Wrong> {
        if self.is_null() {
            return Ok(None);
        }
        let at = self.value.as_str().and_then(|text| text.parse().ok());
        at.map(Some)
            .ok_or_else(|| self.not("a date and time such as 2026-11-20T00:00:00Z"))
    }

    /// RFC 3339 that has to be there.
    pub(super) fn require_instant(&self) -> Result<Timestamp, Wrong> {
        self.instant()?.ok_or_else(|| self.not("a date and time"))
    }

    /// Cents of a dollar, a whole number, or one in a text as Paddle has them, as billionths.
    pub(super) fn cents(&self) -> Result<i64, Wrong> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let text = self.value.as_str().filter(|text| digits(text));
        let cents = self.value.as_i64().or_else(|| text?.parse().ok());
        let cents = cents.filter(|cents| *cents >= 0);
        cents
            .and_then(|cents| cents.checked_mul(10_000_000))
            .ok_or_else(|| self.not("an amount in cents"))
    }

    /// A decimal number of dollars above zero, as a text; a number would have gone through floating point.
    pub(super) fn dollars(&self) -> Result<NanoUsd, Wrong> {
        let amount = self.value.as_str().map(NanoUsd::parse);
        match amount {
            Some(Ok(amount)) if amount > NanoUsd::ZERO => Ok(amount),
            Some(Err(error)) => Err(format!("{} {error}", self.path)),
            _ => Err(self.not("a string with an amount above zero, such as \"25.00\"")),
        }
    }

    /// When a grant is spent, from 0 to 100: lower ones first, and in the middle where nothing is said.
    pub(super) fn priority(&self) -> Result<u8, Wrong> {
        if self.is_null() {
            return Ok(50);
        }
        let number = self.value.as_u64();
        let number = number.and_then(|number| u8::try_from(number).ok());
        number
            .filter(|number| *number <= 100)
            .ok_or_else(|| self.not("a number from 0 to 100"))
    }

    /// What waits where a currency is not the dollar: credit is kept in nothing else.
    pub(super) fn foreign(&self) -> Option<News> {
        let words = match self.text() {
            Some(currency) if currency.eq_ignore_ascii_case(CURRENCY) => return None,
            Some(other) => format!(
                "it is in {}, and credit is in {CURRENCY}; post what it is worth with `faregate credit add`",
                other.to_ascii_uppercase()
            ),
            None => "it names no currency".to_owned(),
        };
        Some(News::Parked(words))
    }

    /// The words for what may be a text that is none of a vendor's.
    fn no_text(&self, what: &str) -> Wrong {
        match self.value.as_str() {
            Some(text) if text.len() > LONGEST => {
                format!("{} is longer than {LONGEST} bytes", self.path)
            }
            Some(_) => format!("{} is empty", self.path),
            None => self.not(what),
        }
    }

    /// The words for a value that is something else.
    pub(super) fn not(&self, what: &str) -> Wrong {
        let path = &self.path;
        if self.is_null() {
            format!("{path} is missing; it should be {what}")
        } else {
            format!("{path} is not {what}")
        }
    }
}
