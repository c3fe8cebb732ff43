#include "models/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tokenizer/json_reader.h"

namespace bertha::models {

using nlohmann::json;

namespace {

/// Where a parser is, and whether an object has a key twice.
class PlaceWatch {
 public:
  void On(json::parse_event_t event, const json& parsed) {
    using Event = json::parse_event_t;
    if (event == Event::object_end || event == Event::array_end) return open_.pop_back();
    if (event == Event::key) return OnKey(parsed.get<std::string>());
    if (!open_.empty() && open_.back().is_list) open_.back().index += 1;
    if (event == Event::object_start || event == Event::array_start) {
      open_.push_back({.is_list = event == Event::array_start});
    }
  }
  /// The object and the key; empty: there is none.
  const std::string& duplicate() const { return duplicate_; }

 private:
  struct Open {
    bool is_list = false;
    int64_t index = -1;
    std::string key = {};
    std::set<std::string> keys = {};
  };

  void OnKey(std::string key) {
    Open& object = open_.back();
    if (!object.keys.insert(key).second) {
      const std::string place = Place();
      duplicate_ =
          absl::StrCat(place, place.empty() ? "" : ": ", "the key ", tokenizer::Quoted(key), " is there twice");
    }
    object.key = std::move(key);
  }
  /// Of the innermost object, like inputs[2].options.
  std::string Place() const {
    std::string place;
    for (size_t i = 0; i + 1 < open_.size(); ++i) {
      const Open& at = open_[i];
      if (at.is_list) {
        absl::StrAppend(&place, "[", at.index, "]");
      } else {
        absl::StrAppend(&place, place.empty() ? "" : ".", at.key);
      }
    }
    return place;
  }

  std::vector<Open> open_;
  std::string duplicate_;
};

}  // namespace

absl::StatusOr<json> ParseJsonObject(const std::string& text, size_t max_values) {
  PlaceWatch place;
  bool too_deep = false;
  size_t values = 0;
  // A key that is there twice would silently lose one of its values. What is beyond the limits is read to its end, but
  // not kept: a value takes up to 50 times the memory of its text.
  const json::parser_callback_t watch = [&](int depth, json::parse_event_t event, json& parsed) {
    too_deep |= depth > kMaxJsonDepth;
    values += event == json::parse_event_t::value || event == json::parse_event_t::object_start ||
              event == json::parse_event_t::array_start;
    if (too_deep || values > max_values) return false;
    place.On(event, parsed);
    return true;
  };
  try {
    json document = json::parse(text, watch);
    if (too_deep) {
      return absl::InvalidArgumentError(absl::StrCat("lists and objects are nested deeper than ", kMaxJsonDepth));
    }
    if (values > max_values) {
      return absl::InvalidArgumentError(absl::StrCat("has more than ", max_values, " values"));
    }
    if (!place.duplicate().empty()) return absl::InvalidArgumentError(place.duplicate());
    if (!document.is_object()) return absl::InvalidArgumentError("$: expected an object");
    return document;
  } catch (const json::parse_error& error) {
    return absl::InvalidArgumentError(absl::StrCat("not valid JSON, at byte ", error.byte));
  } catch (const json::exception&) {
    return absl::InvalidArgumentError("not valid JSON: a number is out of range");
  }
}

JsonReader::JsonReader(const json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object_.is_object()) status_ = absl::InvalidArgumentError(absl::StrCat(path_, ": expected an object"));
}

void JsonReader::Fail(const std::string& key, const std::string& what) {
  if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat(path_, ".", key, ": ", what));
}

void JsonReader::Fail(const absl::Status& status) {
  if (status_.ok()) status_ = status;
}

const json* JsonReader::Optional(const std::string& key) {
  asked_.insert(key);
  if (!object_.is_object()) return nullptr;
  auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

const json* JsonReader::Find(const std::string& key) {
  const json* value = Optional(key);
  if (!value) Fail(key, "missing");
  return value;
}

std::string JsonReader::String(const std::string& key) {
  const json* value = Find(key);
  if (value && !value->is_string()) Fail(key, "expected a string");
  return value && value->is_string() ? value->get<std::string>() : std::string();
}

int64_t JsonReader::Integer(const std::string& key, int64_t min, int64_t max) {
  const json* value = Find(key);
  if (!value) return min;
  const bool fits = value->is_number_integer() &&
                    (!value->is_number_unsigned() || value->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
  const int64_t number = fits ? value->get<int64_t>() : 0;
  if (fits && number >= min && number <= max) return number;
  Fail(key, absl::StrCat("expected an integer from ", min, " to ", max));
  return min;
}

double JsonReader::Number(const std::string& key, double min, double max) {
  const json* value = Find(key);
  if (!value) return min;
  const double number = value->is_number() ? value->get<double>() : NAN;
  if (number >= min && number <= max) return number;
  Fail(key, absl::StrCat("expected a number from ", min, " to ", max));
  return min;
}

bool JsonReader::Bool(const std::string& key, bool fallback) {
  const json* value = Optional(key);
  if (!value) return fallback;
  if (!value->is_boolean()) Fail(key, "expected true or false");
  return value->is_boolean() ? value->get<bool>() : fallback;
}

const json* JsonReader::Object(const std::string& key) {
  const json* value = Find(key);
  if (value && !value->is_object()) Fail(key, "expected an object");
  return value && value->is_object() ? value : nullptr;
}

const json* JsonReader::List(const std::string& key) {
  const json* value = Find(key);
  if (value && !value->is_array()) Fail(key, "expected a list");
  return value && value->is_array() ? value : nullptr;
}

std::vector<std::string> JsonReader::Strings(const std::string& key) {
  std::vector<std::string> result;
  const json* list = List(key);
  if (!list) return result;
  for (const json& item : *list) {
    if (!item.is_string()) {
      Fail(absl::StrCat(key, "[", result.size(), "]"), "expected a string");
      break;
    }
    result.push_back(item.get<std::string>());
  }
  return result;
}

std::vector<int32_t> JsonReader::Ids(const std::string& key) {
  std::vector<int32_t> result;
  const json* list = List(key);
  if (!list) return result;
  for (const json& item : *list) {
    const int64_t id = item.is_number_integer() ? item.get<int64_t>() : -1;
    if (id < 0 || id > std::numeric_limits<int32_t>::max()) {
      Fail(absl::StrCat(key, "[", result.size(), "]"), "expected a token id");
      break;
    }
    result.push_back(static_cast<int32_t>(id));
  }
  return result;
}

std::vector<float> JsonReader::Floats(const std::string& key) {
  std::vector<float> result;
  const json* list = List(key);
  if (!list) return result;
  for (const json& item : *list) {
    const float number = item.is_number() ? item.get<float>() : NAN;
    if (!std::isfinite(number)) {
      Fail(absl::StrCat(key, "[", result.size(), "]"), "expected a finite number");
      break;
    }
    result.push_back(number);
  }
  return result;
}

absl::Status JsonReader::Done() {
  if (!object_.is_object()) return status_;
  for (const auto& item : object_.items()) {
    if (asked_.contains(item.key())) continue;
    // Said first: "missing" may only mean that the key is misspelled.
    const bool plain =
        !item.key().empty() && item.key().size() <= 80 &&
        std::ranges::all_of(item.key(), [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_'; });
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ".", plain ? item.key() : tokenizer::Quoted(item.key()), ": unknown key"));
  }
  return status_;
}

}  // namespace bertha::models
