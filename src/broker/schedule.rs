//! When a message is to be sent, as ActiveMQ's properties say it; pure.
//!
//! | property | meaning |
//! |---|---|
//! | `AMQ_SCHEDULED_DELAY` | ms until it is sent first; without it the period, if there is one |
//! | `AMQ_SCHEDULED_PERIOD` | ms between one time and the next |
//! | `AMQ_SCHEDULED_REPEAT` | how many times more; -1 for ever |
//! | `AMQ_SCHEDULED_CRON` | minute, hour, day of the month, month, day of the week, in UTC; for ever, and alone |

use std::str::FromStr;

use chrono::{DateTime, Utc};
use croner::Cron;

use crate::model::{Message, PropertyValue};
use crate::state::Due;

const DELAY: &str = "AMQ_SCHEDULED_DELAY";
const PERIOD: &str = "AMQ_SCHEDULED_PERIOD";
const REPEAT: &str = "AMQ_SCHEDULED_REPEAT";
const CRON: &str = "AMQ_SCHEDULED_CRON";
/// The longest time that can be asked for, in ms: a hundred years.
const TIME_MAX: i64 = 100 * 366 * 24 * 3_600_000;

/// See the module.
#[derive(Debug)]
pub(super) enum Schedule {
    /// After a delay, then again and again.
    Delayed {
        delay: i64,
        period: i64,
        /// How many times more; for ever without.
        repeat: Option<u32>,
    },
    /// Whenever the pattern says so.
    Cron(Box<Cron>),
}

impl Schedule {
    /// What a message's properties say; none if they say nothing.
    ///
    /// # Errors
    /// What is wrong with which property.
    pub(super) fn read(message: &Message) -> Result<Option<Schedule>, String> {
        if !message.scheduled() {
            return Ok(None);
        }
        let (mut delay, mut period, mut repeat, mut cron) = (None, None, None, None);
        for (name, value) in message.properties() {
            match name {
                DELAY => delay = Some(time(name, value)?),
                PERIOD => period = Some(time(name, value)?),
                REPEAT => repeat = Some(number(name, value)?),
                CRON => cron = text(value).filter(|text| !text.trim().is_empty()).map(str::to_owned),
                _ => {}
            }
        }
        if let Some(cron) = cron {
            if delay.is_some() || period.is_some() || repeat.is_some() {
                return Err(format!(
                    "{CRON} stands alone: {DELAY}, {PERIOD} and {REPEAT} are not served beside it"
                ));
            }
            let read = Cron::from_str(&cron).map_err(|error| format!("{CRON} \"{cron}\": {error}"))?;
            return Ok(Some(Schedule::Cron(Box::new(read))));
        }
        let repeat = match repeat {
            Some(-1) => None,
            Some(times) => {
                let wrong = || format!("{REPEAT} is {times}; it is a number of times, or -1");
                Some(u32::try_from(times).map_err(|_| wrong())?)
            }
            None => Some(0),
        };
        let period = period.unwrap_or_default();
        if repeat != Some(0) && period == 0 {
            return Err(format!("{REPEAT} needs {PERIOD}"));
        }
        match delay.or(Some(period).filter(|period| *period > 0)) {
            Some(delay) => Ok(Some(Schedule::Delayed { delay, period, repeat })),
            None => Ok(None),
        }
    }

    /// When a message that came at `wall` is sent first, in ms since 1970; never, for a pattern that means no time.
    pub(super) fn first(&self, wall: i64) -> Option<i64> {
        match self {
            Schedule::Delayed { delay, .. } => wall.checked_add(*delay),
            Schedule::Cron(cron) => after(cron, wall),
        }
    }

    /// When it is sent again after it has been, at `wall`; `due` says when it should have been. What was missed while no
    /// broker served is not made up for.
    pub(super) fn next(&self, due: Due, wall: i64) -> Option<i64> {
        match self {
            Schedule::Delayed { period, repeat, .. } => {
                if repeat.is_some_and(|times| due.sent >= times) {
                    return None;
                }
                let missed = (wall - due.at).max(0) / (*period).max(1);
                due.at.checked_add(period.checked_mul(missed + 1)?)
            }
            Schedule::Cron(cron) => after(cron, wall.max(due.at)),
        }
    }
}

/// The first time that a pattern means after this one.
fn after(cron: &Cron, wall: i64) -> Option<i64> {
    let from: DateTime<Utc> = DateTime::from_timestamp_millis(wall)?;
    cron.find_next_occurrence(&from, false).ok().map(|next| next.timestamp_millis())
}

fn time(name: &str, value: PropertyValue<'_>) -> Result<i64, String> {
    let ms = number(name, value)?;
    if (0..=TIME_MAX).contains(&ms) {
        Ok(ms)
    } else {
        Err(format!("{name} is {ms}; it is 0 to {TIME_MAX} ms"))
    }
}

/// Whole numbers, which STOMP's clients send as text.
fn number(name: &str, value: PropertyValue<'_>) -> Result<i64, String> {
    let number = match value {
        PropertyValue::Byte(number) => Some(number.into()),
        PropertyValue::Short(number) => Some(number.into()),
        PropertyValue::Int(number) => Some(number.into()),
        PropertyValue::Long(number) => Some(number),
        other => text(other).and_then(|text| text.trim().parse().ok()),
    };
    number.ok_or_else(|| format!("{name} is no whole number"))
}

fn text(value: PropertyValue<'_>) -> Option<&str> {
    match value {
        PropertyValue::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Encoding, MessageBuilder};

    fn read(properties: &[(&str, PropertyValue<'_>)]) -> Result<Option<Schedule>, String> {
        let mut builder = MessageBuilder::new(Encoding::Native);
        for (name, value) in properties {
            builder.property(name, *value);
        }
        Schedule::read(&builder.build().unwrap())
    }

    fn times(schedule: &Schedule, wall: i64, count: u32) -> Vec<i64> {
        let mut due = schedule.first(wall);
        let mut times = Vec::new();
        while let Some(at) = due.filter(|_| times.len() < count as usize) {
            times.push(at);
            due = schedule.next(Due { at, sent: times.len() as u32 - 1 }, at);
        }
        times
    }

    #[test]
    fn a_message_comes_after_its_delay_and_again_as_often_as_it_says() {
        let once = read(&[(DELAY, PropertyValue::Long(50))]).unwrap().unwrap();
        assert_eq!(times(&once, 1_000, 9), [1_050]);
        let again = [
            (DELAY, PropertyValue::String("50")),
            (PERIOD, PropertyValue::Int(10)),
            (REPEAT, PropertyValue::Int(2)),
        ];
        assert_eq!(times(&read(&again).unwrap().unwrap(), 1_000, 9), [1_050, 1_060, 1_070]);
        let ever = [(PERIOD, PropertyValue::Int(10)), (REPEAT, PropertyValue::Int(-1))];
        assert_eq!(times(&read(&ever).unwrap().unwrap(), 0, 4), [10, 20, 30, 40]);
        assert!(read(&[("AMQ_SCHEDULED_OTHER", PropertyValue::Int(1))]).unwrap().is_none());
        assert!(read(&[("x", PropertyValue::Int(1))]).unwrap().is_none());
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let ever = [(PERIOD, PropertyValue::Int(10)), (REPEAT, PropertyValue::Int(-1))];
        let ever = read(&ever).unwrap().unwrap();
        assert_eq!(ever.next(Due { at: 100, sent: 0 }, 155), Some(160));
        assert_eq!(ever.next(Due { at: 100, sent: 0 }, 99), Some(110));
    }

    #[test]
    fn cron_is_minute_hour_day_month_weekday() {
        let hourly = read(&[(CRON, PropertyValue::String("0 * * * *"))]).unwrap().unwrap();
        assert_eq!(times(&hourly, 1, 3), [3_600_000, 7_200_000, 10_800_000]);
        // 1970-01-01 was a Thursday.
        let mondays = read(&[(CRON, PropertyValue::String("30 12 * * 1"))]).unwrap().unwrap();
        assert_eq!(mondays.first(0), Some(4 * 86_400_000 + 12 * 3_600_000 + 30 * 60_000));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_name() {
        for (properties, wanted) in [
            (&[(CRON, PropertyValue::String("61 * * * *"))][..], CRON),
            (&[(CRON, PropertyValue::String("* * * * *")), (DELAY, PropertyValue::Int(1))], CRON),
            (&[(DELAY, PropertyValue::Int(-1))], DELAY),
            (&[(DELAY, PropertyValue::String("soon"))], DELAY),
            (&[(REPEAT, PropertyValue::Int(3))], REPEAT),
            (&[(REPEAT, PropertyValue::Int(-2)), (PERIOD, PropertyValue::Int(1))], REPEAT),
            (&[(PERIOD, PropertyValue::Long(i64::MAX))], PERIOD),
        ] {
            let error = read(properties).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
        // A day that never comes.
        let never = read(&[(CRON, PropertyValue::String("0 0 31 2 *"))]).unwrap().unwrap();
        assert_eq!(never.first(0), None);
    }
}
