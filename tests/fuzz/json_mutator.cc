// Mutations of a tokenizer.json as a tree, so that most of what comes out is JSON and gets past the parser.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace bertha::tokenizer::fuzz {
namespace {

using nlohmann::json;
using Random = std::minstd_rand;

/// Whole components, of every family and of none that is known here, and the values that members of theirs take.
const std::vector<json>& Components() {
  static const std::vector<json> components = json::parse(R"([
    {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
     "lowercase": true},
    {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]},
    {"type": "NFKD"}, {"type": "NFKC"}, {"type": "NFC"}, {"type": "Lowercase"}, {"type": "StripAccents"},
    {"type": "Replace", "pattern": {"String": "``"}, "content": "\""},
    {"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaaaaaaaa"},
    {"type": "Replace", "pattern": {"String": ""}, "content": "a"},
    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"},
    {"type": "Precompiled", "precompiled_charsmap": "AAIAAAAAAAEAAAAB"}, {"type": "Prepend", "prepend": "▁"},
    {"type": "BertPreTokenizer"}, {"type": "WhitespaceSplit"}, {"type": "Whitespace"},
    {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
      {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true, "str_rep": "▁"}]},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false},
    {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": true,
     "add_prefix_space": false},
    {"type": "TemplateProcessing",
     "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "s", "type_id": 0}}],
     "pair": [{"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "s", "type_id": 2}},
              {"Sequence": {"id": "A", "type_id": 1}}],
     "special_tokens": {"s": {"id": "s", "ids": [0, 1], "tokens": ["a", "b"]}}},
    {"type": "Strip", "strip_left": true, "strip_right": true},
    {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": false},
    {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true},
      {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}],
       "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
       "special_tokens": {}}]},
    {"Sequence": {"id": "A", "type_id": 7}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
     "vocab": {"[UNK]": 0, "a": 1, "##b": 2}},
    {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
     "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
     "vocab": {"a": 0, "b": 1, "ab": 2, "aba": 3}, "merges": ["a b", "ab a"]},
    {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["▁", -2], ["a", -1.5], ["▁ab", -3.25]],
     "byte_fallback": false},
    {"id": 6, "content": "<x>", "single_word": true, "lstrip": true, "rstrip": true, "normalized": true,
     "special": false},
    {"id": 0, "content": " ", "single_word": false, "lstrip": false, "rstrip": true, "normalized": false,
     "special": true},
    {"max_length": 8, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 3,
     "pad_token": "x"},
    "String", "Regex", "always", "never", "first", "LongestFirst", "OnlyFirst", "OnlySecond", "Left", "Right", "Foo"
  ])");
  return components;
}

/// Values at the borders of what can be represented, and of other types.
json OddValue(Random& random) {
  static const std::vector<json> kValues = {nullptr,
                                            true,
                                            false,
                                            0,
                                            1,
                                            -1,
                                            2,
                                            100,
                                            -0.0,
                                            1.5,
                                            2147483646,
                                            2147483647,
                                            2147483648,
                                            4294967295,
                                            4294967296,
                                            INT64_MAX,
                                            INT64_MIN,
                                            UINT64_MAX,
                                            9223372036854775808u,
                                            9007199254740993,
                                            1e308,
                                            -1e308,
                                            5e-324,
                                            "",
                                            " ",
                                            "a",
                                            "[UNK]",
                                            "##",
                                            "▁",
                                            "\xc4\xa0",
                                            std::string(1, '\0'),
                                            "\u0301",
                                            "\U0010ffff",
                                            json::array(),
                                            json::object(),
                                            json::array({nullptr}),
                                            json::array({"a", 0}),
                                            json{{"", json::object()}}};
  switch (random() % 16) {
    case 0:
      return std::string(1 + random() % 4000, "a \n▁"[random() % 3]);
    case 1:
      return json(std::vector<json>(1 + random() % 300, kValues[random() % kValues.size()]));
    case 2: {
      json nested = kValues[random() % kValues.size()];
      const bool in_objects = random() % 2 == 0;
      for (size_t depth = 1 + random() % 80; depth > 0; --depth) {
        nested = in_objects ? json{{"type", std::move(nested)}} : json::array({std::move(nested)});
      }
      return nested;
    }
    default:
      return kValues[random() % kValues.size()];
  }
}

class Mutator {
 public:
  Mutator(json* document, Random& random) : document_(*document), random_(random) {}

  void Mutate() {
    const Place place = AnyPlace();
    json& value = *place.value;
    switch (random_() % 12) {
      case 0:
        value = OddValue(random_);
        break;
      case 1:
        value = OneOf(Components());
        break;
      case 2:
        Erase(place);
        break;
      case 3:
        AddBeside(place, random_() % 2 == 0 ? value : OneOf(Components()));
        break;
      case 4: {  // a copy of another part
        json other = *AnyPlace().value;
        value = std::move(other);
        break;
      }
      case 5:
        Swap(place, AnyPlace());
        break;
      case 6:
        RenameKey(place);
        break;
      case 7:
        if (value.is_array()) std::shuffle(value.begin(), value.end(), random_);
        break;
      case 8:
        AddMerge();
        break;
      case 9:
        // Becomes a second member of the same name when the document is written: see Written().
        if (place.parent != nullptr && place.parent->is_object()) {
          (*place.parent)[absl::StrCat(kTwin, place.key)] = json(value);
        }
        break;
      default:
        MutateScalar(*AnyScalar());
    }
  }

  /// The document as text.
  std::string Written() const {
    std::string text = document_.dump(-1, ' ', random_() % 4 == 0, json::error_handler_t::replace);
    for (size_t at; (at = text.find(kTwin)) != std::string::npos;) text.erase(at, sizeof(kTwin) - 1);
    return text;
  }

 private:
  static constexpr char kTwin[] = "<<twin>>";

  struct Place {
    json* parent;  // null: the whole document
    std::string key;
    size_t index;
    json* value;
  };

  template <typename T>
  const T& OneOf(const std::vector<T>& values) {
    return values[random_() % values.size()];
  }

  Place Child(json& parent) {
    const size_t index = random_() % parent.size();
    if (parent.is_array()) return {&parent, "", index, &parent[index]};
    const auto member = std::next(parent.begin(), static_cast<ptrdiff_t>(index));
    return {&parent, member.key(), index, &*member};
  }

  /// Walks down from the root, and stops early now and then: vocabularies are most of a file, but not of its meaning.
  Place AnyPlace() {
    Place place = {nullptr, "", 0, &document_};
    while (place.value->is_structured() && !place.value->empty() && (place.parent == nullptr || random_() % 5 != 0)) {
      place = Child(*place.value);
    }
    return place;
  }

  json* AnyScalar() {
    json* value = &document_;
    while (value->is_structured() && !value->empty()) value = Child(*value).value;
    return value;
  }

  void Erase(const Place& place) {
    if (place.parent == nullptr) return;
    if (place.parent->is_array()) {
      place.parent->erase(place.index);
    } else {
      place.parent->erase(place.key);
    }
  }

  void AddBeside(const Place& place, json value) {
    if (place.parent == nullptr) return;
    if (place.parent->is_array()) {
      place.parent->insert(place.parent->begin() + static_cast<ptrdiff_t>(place.index), std::move(value));
    } else {
      (*place.parent)[place.key + "x"] = std::move(value);
    }
  }

  void Swap(const Place& a, const Place& b) {
    json first = *a.value, second = *b.value;
    // One may hold the other: the second assignment is then to what is no longer there.
    *a.value = std::move(second);
    if (const Place now = AnyPlace(); now.parent != nullptr) *now.value = std::move(first);
  }

  void RenameKey(const Place& place) {
    if (place.parent == nullptr || !place.parent->is_object()) return;
    static const std::vector<std::string> kKeys = {"type",
                                                   "vocab",
                                                   "merges",
                                                   "unk_token",
                                                   "unk_id",
                                                   "model",
                                                   "normalizer",
                                                   "content",
                                                   "pattern",
                                                   "ids",
                                                   "tokens",
                                                   "special_tokens",
                                                   "single",
                                                   "pair",
                                                   "sep",
                                                   "cls",
                                                   "normalizers",
                                                   "pretokenizers",
                                                   "prepend_scheme",
                                                   "split",
                                                   "add_prefix_space",
                                                   "str_rep",
                                                   "precompiled_charsmap",
                                                   "processors",
                                                   "trim_offsets",
                                                   "strip_left",
                                                   "unk_id",
                                                   "unk_token",
                                                   "fuse_unk",
                                                   "ignore_merges",
                                                   "max_input_chars_per_word",
                                                   "",
                                                   "a",
                                                   "##a",
                                                   "ab",
                                                   "▁",
                                                   "[UNK]"};
    json value = *place.value;
    place.parent->erase(place.key);
    (*place.parent)[OneOf(kKeys)] = std::move(value);
  }

  /// A merge of two tokens, or of a token with itself or with nothing: what it makes may be a part of its parts.
  void AddMerge() {
    if (!document_.is_object() || !document_.contains("model") || !document_["model"].is_object()) return;
    json& model = document_["model"];
    if (!model.contains("vocab") || !model["vocab"].is_object() || !model.contains("merges")) return;
    json& vocab = model["vocab"];
    const auto token = [&] { return vocab.empty() || random_() % 8 == 0 ? std::string() : Child(vocab).key; };
    const std::string left = token(), right = token();
    if (random_() % 4 != 0) vocab.emplace(left + right, vocab.size());
    if (!model["merges"].is_array()) return;
    json& merges = model["merges"];
    json merge = random_() % 2 == 0 ? json(left + " " + right) : json::array({left, right});
    merges.insert(merges.begin() + static_cast<ptrdiff_t>(random_() % (merges.size() + 1)), std::move(merge));
  }

  void MutateScalar(json& value) {
    if (value.is_string()) {
      value = MutatedString(value.get<std::string>());
    } else if (value.is_boolean()) {
      value = !value.get<bool>();
    } else if (value.is_number_integer()) {
      // Often that of another: ids that are there twice.
      const json other = *AnyScalar();
      const uint64_t near = value.get<uint64_t>() + 1 - random_() % 3;
      value = other.is_number() && random_() % 2 == 0 ? other : json(near);
    } else if (value.is_number_float()) {
      value = value.get<double>() * (random_() % 2 == 0 ? -1 : 1e10);
    } else {
      value = OddValue(random_);
    }
  }

  /// Base64 is mutated as what it stands for.
  std::string MutatedString(const std::string& text) {
    std::string bytes;
    const bool is_base64 = text.size() > 32 && absl::Base64Unescape(text, &bytes);
    if (!is_base64) bytes = text;
    const size_t size = bytes.size();
    bytes.resize(size + 16);
    bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(bytes.data()), size, bytes.size()));
    return is_base64 ? absl::Base64Escape(bytes) : bytes;
  }

  json& document_;
  Random& random_;
};

/// Bounds what the recursion of json::dump takes of the stack.
bool IsFlatEnough(absl::string_view text) {
  constexpr int kDeepest = 500;
  int depth = 0;
  for (const char c : text) {
    depth += c == '[' || c == '{' ? 1 : 0;
    if (depth > kDeepest) return false;
    depth -= c == ']' || c == '}' ? 1 : 0;
  }
  return true;
}

}  // namespace
}  // namespace bertha::tokenizer::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  using namespace bertha::tokenizer::fuzz;  // NOLINT: the function cannot be in a namespace
  Random random(seed);
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  if (random() % 8 == 0 || !IsFlatEnough(text)) return LLVMFuzzerMutate(data, size, max_size);
  json document = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return LLVMFuzzerMutate(data, size, max_size);
  Mutator mutator(&document, random);
  for (size_t times = 1 + random() % 3; times > 0; --times) mutator.Mutate();
  const std::string mutated = mutator.Written();
  if (mutated.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(mutated.begin(), mutated.end(), data);
  return mutated.size();
}
