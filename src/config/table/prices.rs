//! Keys about what models cost.

use super::{IMPLIED, Key, Kind, Section, key};

/// Dollars per million tokens.
const TOKEN: Kind = Kind::Price { per_million: true };
/// Dollars for one.
const EACH: Kind = Kind::Price { per_million: false };

/// A section of prices: what is counted, then the keys that it has beside.
macro_rules! prices {
    ($name:literal, $doc:literal, [$($more:expr),* $(,)?]) => {
        Section {
            name: $name,
            doc: $doc,
            keys: &[
                key("input", TOKEN, "US dollars per million tokens of input; 0 is a price."),
                key("cached_input", TOKEN, "Per million tokens read from a cache. Default: as input."),
                key("cache_write", TOKEN, "Per million tokens written to a cache. Default: as input."),
                key("cache_write_1h", TOKEN, "Per million tokens written to a cache that keeps them for an hour; beside cache_write, calls that ask for it are refused without it where money is counted."),
                key("audio_input", TOKEN, "Per million tokens of audio in the input; without it such calls are refused where money is counted."),
                key("output", TOKEN, "Per million tokens of output; 0 for a model that only reads."),
                key("reasoning", TOKEN, "Per million tokens of reasoning. Default: as output."),
                key("audio_output", TOKEN, "Per million tokens of audio in the output; without it such calls are refused where money is counted."),
                key("image", EACH, "For each image that is generated."),
                key("second", EACH, "For each second of audio that is read."),
                key("page", EACH, "For each page of a document that is read."),
                $($more),*
            ],
        }
    };
}

pub(crate) static PRICES_FILE: Key = key(
    "file",
    Kind::Path,
    "Prices in the format of LiteLLM's model_prices_and_context_window.json, for models without a row here: by public name, else by the provider's name for them.",
)
.hint("write the path of a JSON file; a model that is called `file` needs another public name to be priced here");

pub(crate) static PRICE: Section = prices!(
    "price",
    "What a model costs, in exact decimals. What is not named is never free: where money is counted, such calls are refused.",
    [
        key("request", EACH, "For each request, whatever it uses."),
        key(
            "tiers",
            Kind::List(&Kind::Section(&TIER)),
            "Other prices for long inputs; the whole call is charged by the last tier that its input is above.",
        ),
        key(
            "service_tiers",
            Kind::Section(&SERVICE_TIERS),
            "Factors for other service tiers (`service_tier`); one that is not named is refused where money is counted.",
        )
        .or(IMPLIED),
        key(
            "features",
            Kind::Section(&FEATURES),
            "What a call costs on top when it asks the provider for more than an answer.",
        )
        .or(IMPLIED),
        key(
            "versions",
            Kind::List(&Kind::Section(&VERSION)),
            "The same keys, several times, each from an instant on; instead of all keys above.",
        ),
    ]
);

pub(crate) static VERSION: Section = prices!(
    "price_version",
    "What a model costs from an instant on.",
    [
        key(
            "effective",
            Kind::Instant,
            "From when on it is in force. Default: always."
        ),
        key("request", EACH, "For each request, whatever it uses."),
        key(
            "tiers",
            Kind::List(&Kind::Section(&TIER)),
            "Other prices for long inputs."
        ),
        key(
            "service_tiers",
            Kind::Section(&SERVICE_TIERS),
            "Factors for other service tiers."
        )
        .or(IMPLIED),
        key(
            "features",
            Kind::Section(&FEATURES),
            "What a call costs on top when it asks for more than an answer."
        )
        .or(IMPLIED),
    ]
);

static TIER: Section = prices!(
    "price_tier",
    "Prices of calls with a long input; what is left out costs as much as below it.",
    [key(
        "above",
        Kind::Integer {
            least: 1,
            most: 1 << 40,
        },
        "For inputs of more tokens than this.",
    )
    .required()]
);

static SERVICE_TIERS: Section = Section {
    name: "service_tiers",
    doc: "What prices are multiplied by; the default is what is not named, and refused where money is counted.",
    keys: &[
        key("batch", Kind::Factor, "Answers that may take a day."),
        key("flex", Kind::Factor, "Slower answers."),
        key("priority", Kind::Factor, "Faster answers."),
        key("scale", Kind::Factor, "Capacity that was bought ahead."),
        key(
            "performance",
            Kind::Factor,
            "Faster answers, in Groq's words.",
        ),
    ],
};

static FEATURES: Section = Section {
    name: "features",
    doc: "US dollars for each call that asks for it, however much it is used.",
    keys: &[
        key(
            "background",
            EACH,
            "The answer is made later and fetched by its id.",
        ),
        key("web_search", EACH, "The provider searches the web."),
        key("web_fetch", EACH, "The provider reads pages of the web."),
        key("code_execution", EACH, "The provider runs code."),
        key(
            "file_search",
            EACH,
            "The provider searches files that it keeps.",
        ),
        key(
            "mcp",
            EACH,
            "The provider calls other servers by the Model Context Protocol.",
        ),
        key(
            "image_generation",
            EACH,
            "The provider generates images with another model.",
        ),
        key(
            "tool_search",
            EACH,
            "The provider looks for tools among those it was told of.",
        ),
    ],
};
