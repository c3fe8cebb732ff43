// Broken and unknown tokenizer.json files: the error names the place.
#include <string>
#include <vector>

#include "tests/tokenizer/support.h"

namespace bertha::tokenizer {
namespace {

absl::Status LoadStatus(const std::string& text) { return Tokenizer::FromJson(text).status(); }

/// What is wrong is put at a JSON pointer of the small tokenizer; a discarded value removes the member.
struct Broken {
  std::string pointer;
  json value;
  std::string message;
};

const json kRemoved = json(json::value_t::discarded);

absl::Status StatusOf(const Broken& broken) {
  json content = SmallJson();
  const json::json_pointer pointer(broken.pointer);
  if (broken.value.is_discarded()) {
    content[pointer.parent_pointer()].erase(pointer.back());
  } else {
    content[pointer] = broken.value;
  }
  return LoadStatus(content.dump());
}

void CheckEach(absl::StatusCode code, const std::vector<Broken>& table) {
  for (const Broken& broken : table) {
    const absl::Status status = StatusOf(broken);
    INFO(broken.pointer << " gives " << status.ToString());
    CHECK(status.code() == code);
    CHECK(std::string(status.message()) == broken.message);
  }
}

TEST_CASE("TheSmallFileItselfLoads") { CHECK(LoadStatus(SmallJson().dump()).ok()); }

TEST_CASE("UnknownComponentsAreRefusedByName") {
  for (const std::string stage : {"normalizer", "pre_tokenizer", "model", "post_processor"}) {
    const absl::Status status = StatusOf({"/" + stage + "/type", "Foo", ""});
    INFO(status.ToString());
    CHECK(status.code() == absl::StatusCode::kUnimplemented);
    const std::string message = "$." + stage + R"(.type: "Foo" is not supported; known here: )";
    CHECK(std::string(status.message()).substr(0, message.size()) == message);
  }
  CheckEach(absl::StatusCode::kUnimplemented,
            {{"/version", "2.0", R"($.version: "2.0" is not supported; known here: 1.0)"}});
}

TEST_CASE("MissingMembersAreNamed") {
  CheckEach(absl::StatusCode::kInvalidArgument,
            {{"/model", kRemoved, R"($: member "model" is missing)"},
             {"/normalizer/type", kRemoved, R"($.normalizer: member "type" is missing)"},
             {"/normalizer/clean_text", kRemoved, R"($.normalizer: member "clean_text" is missing)"},
             {"/model/unk_token", kRemoved, R"($.model: member "unk_token" is missing)"},
             {"/model/vocab", kRemoved, R"($.model: member "vocab" is missing)"},
             {"/added_tokens/1/lstrip", kRemoved, R"($.added_tokens[1]: member "lstrip" is missing)"},
             {"/post_processor/sep", kRemoved, R"($.post_processor: member "sep" is missing)"}});
}

TEST_CASE("WrongTypesAreNamed") {
  CheckEach(absl::StatusCode::kInvalidArgument,
            {{"/normalizer", "BertNormalizer", R"($.normalizer: must be an object, is string)"},
             {"/normalizer/type", 5, R"($.normalizer.type: must be a string, is number)"},
             {"/normalizer/lowercase", "yes", R"($.normalizer.lowercase: must be true or false, is string)"},
             {"/normalizer/strip_accents", 1, R"($.normalizer.strip_accents: must be true or false, is number)"},
             {"/model", json::array(), R"($.model: must be an object, is array)"},
             {"/model/type", nullptr, R"($.model.type: must be a string, is null)"},
             {"/model/vocab", json::array(), R"($.model.vocab: must be an object, is array)"},
             {"/model/vocab/foo", "1", R"($.model.vocab["foo"]: must be an integer from 0 up, is string)"},
             {"/model/vocab/foo", nullptr, R"($.model.vocab["foo"]: must be an integer from 0 up, is null)"},
             {"/model/vocab/foo", -1, R"($.model.vocab["foo"]: must be an integer from 0 up, is -1)"},
             {"/model/vocab/foo", 1.5, R"($.model.vocab["foo"]: must be an integer from 0 up, is 1.5)"},
             {"/model/max_input_chars_per_word", -3,
              R"($.model.max_input_chars_per_word: must be an integer from 0 up, is -3)"},
             {"/added_tokens", json::object(), R"($.added_tokens: must be an array, is object)"},
             {"/added_tokens/2", 7, R"($.added_tokens[2]: must be an object, is number)"},
             {"/added_tokens/2/content", 7, R"($.added_tokens[2].content: must be a string, is number)"},
             {"/post_processor/sep", "x", R"($.post_processor.sep: must be an array, is string)"},
             {"/post_processor/sep", {"x"}, R"($.post_processor.sep: must be a token and its id)"},
             {"/truncation", 5, R"($.truncation: must be an object, is number)"},
             {"/padding", json::array(), R"($.padding: must be an object, is array)"},
             {"/version", 1, R"($.version: must be a string, is number)"}});
}

TEST_CASE("IdsThatAreTooLargeOrThereTwiceAreNamed") {
  CheckEach(absl::StatusCode::kInvalidArgument,
            {{"/model/vocab/foo", 2147483648, R"($.model.vocab["foo"]: 2147483648 is too large for a token id)"},
             {"/model/vocab/foo", 18446744073709551615u,
              R"($.model.vocab["foo"]: 18446744073709551615 is too large for a token id)"},
             {"/model/vocab/foo", 5, R"($.model.vocab["foo"]: id 5 belongs to "a" already)"},
             {"/added_tokens/1/content", "[PAD]", R"($.added_tokens[1]: content "[PAD]" is there twice)"},
             {"/added_tokens/1/content", "new", R"($.added_tokens[1]: id 1 of "new" should be 22, the next free)"},
             {"/added_tokens/1/id", 9, R"($.added_tokens[1]: id 9 of "[UNK]" should be 1, as in the vocabulary)"},
             {"/post_processor/sep/1", 22, R"($.post_processor: no token has id 22; ids end at 22)"}});
}

TEST_CASE("AVocabularyNeedsItsUnknownToken") {
  CheckEach(absl::StatusCode::kInvalidArgument,
            {{"/model/unk_token", "[NOPE]", R"($.model.unk_token: "[NOPE]" is not in the vocabulary)"},
             {"/model/vocab", json::object(), R"($.model.unk_token: "[UNK]" is not in the vocabulary)"}});
}

TEST_CASE("AnAddedTokenNeedsContentThatNormalizationKeeps") {
  CheckEach(absl::StatusCode::kInvalidArgument,
            {{"/added_tokens/1/content", "", R"($.added_tokens[1]: content is empty)"},
             {"/added_tokens/4",
              {{"id", 22},
               {"content", "\u0301"},
               {"single_word", false},
               {"lstrip", false},
               {"rstrip", false},
               {"normalized", true},
               {"special", false}},
              "$.added_tokens[4]: content \"\u0301\" normalizes to nothing"}});
}

TEST_CASE("BrokenTemplatesAreNamed") {
  const json special = {{"[SEP]", {{"id", "[SEP]"}, {"ids", {3}}, {"tokens", {"[SEP]"}}}}};
  const auto with = [&](const json& single, const json& tokens) {
    return json{
        {"type", "TemplateProcessing"}, {"single", single}, {"pair", json::array()}, {"special_tokens", tokens}};
  };
  const json sep = {{"SpecialToken", {{"id", "[SEP]"}, {"type_id", 0}}}};
  const json second = {{"Sequence", {{"id", "B"}, {"type_id", 0}}}};
  CheckEach(absl::StatusCode::kInvalidArgument,
            {{"/post_processor", with(json::array({sep}), json::object()),
              R"($.post_processor.single[0].SpecialToken: "[SEP]" is not among the special_tokens)"},
             {"/post_processor", with(json::array({sep, second}), special),
              R"($.post_processor.single[1].Sequence: no sequence "B" here)"},
             {"/post_processor", with(json::array({"$A"}), special),
              R"($.post_processor.single[0]: must be a SpecialToken or a Sequence)"},
             {"/post_processor", with(json::array({json{{"Sequence", 5}}}), special),
              R"($.post_processor.single[0].Sequence: must be an object, is number)"},
             {"/post_processor", with(json::array({sep}), json{{"[SEP]", {{"ids", {"x"}}, {"tokens", {"x"}}}}}),
              R"($.post_processor.special_tokens["[SEP]"].ids[0]: must be an integer from 0 up, is string)"},
             {"/post_processor", with(json::array({sep}), json::array()),
              R"($.post_processor.special_tokens: must be an object, is array)"}});
}

TEST_CASE("TextThatIsNoJsonIsRefusedWithItsPlace") {
  struct Case {
    std::string text, message;
  };
  for (const Case& c : std::vector<Case>{
           {"", "$: not valid JSON at byte 0"},
           {"{\"model\": tru}", "$[\"model\"]: not valid JSON at byte 13"},
           {"{} x", "$: not valid JSON at byte 3"},
           {"{\"model\": {\"vocab\": {\"foo\": ", "$[\"model\"][\"vocab\"][\"foo\"]: not valid JSON at byte 28"},
           {"{\"a\": 1, \"a\": 2}", "$[\"a\"]: duplicate key"},
           {"{\"m\": {\"vocab\": {\"x\": 1, \"y\": 2, \"x\": 3}}}", "$[\"m\"][\"vocab\"][\"x\"]: duplicate key"},
           {"{\"a\": [1, 1e999]}", "$[\"a\"][1]: number out of range before byte 15"},
           {"{\"a\": \"\xff\"}", "$[\"a\"]: not valid JSON at byte 7"},
           {"{\"a\": \"\\ud800\"}", "$[\"a\"]: not valid JSON at byte 13"},
           {"[]", "$: must be an object"},
           {"null", "$: must be an object"}}) {
    const absl::Status status = LoadStatus(c.text);
    INFO(c.text << " gives " << status.ToString());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()) == c.message);
  }
}

TEST_CASE("EveryTruncationOfAFileIsRefused") {
  const std::string whole = SmallJson().dump();
  for (size_t size = 0; size < whole.size(); ++size) {
    REQUIRE(LoadStatus(whole.substr(0, size)).code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("DeepNestingIsRefusedBeforeItCostsAnything") {
  for (const size_t depth : {size_t{65}, size_t{1000000}}) {
    const absl::Status status = LoadStatus("{\"a\": " + std::string(depth, '['));
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK_THAT(std::string(status.message()), Catch::Contains("[0][0]: nested deeper than 64 levels"));
  }
}

TEST_CASE("LongTextsAreShortenedInMessages") {
  json content = SmallJson();
  content["model"]["vocab"][std::string(1000000, 'x')] = "no id";
  const absl::Status status = LoadStatus(content.dump());
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(status.message().size() < 200);
  CHECK_THAT(std::string(status.message()), Catch::Contains("...\" (1000000 bytes)"));
}

TEST_CASE("AMillionByteTokenLoadsAndIsFound") {
  json content = BareJson();
  const std::string token(1000000, 'x');
  content["model"]["vocab"][token] = 1000;
  CHECK(Load(content)->TokenToId(token) == 1000);
}

TEST_CASE("MissingOptionalPartsAreNoError") {
  for (const std::string part : {"normalizer", "pre_tokenizer", "post_processor", "added_tokens", "version", "decoder",
                                 "truncation", "padding"}) {
    json content = SmallJson();
    content.erase(part);
    INFO(part);
    CHECK(LoadStatus(content.dump()).ok());
  }
}

TEST_CASE("TruncationAndPaddingOfTheFileDoNotChangeEncode") {
  json content = BareJson();
  content["truncation"] = {{"max_length", 1}, {"strategy", "LongestFirst"}, {"stride", 0}};
  content["padding"] = {
      {"strategy", {{"Fixed", 8}}}, {"direction", "Right"}, {"pad_id", 0}, {"pad_type_id", 0}, {"pad_token", "[PAD]"}};
  CHECK(TokensOf(*Load(content), "a b ab") == "a b ab");
}

TEST_CASE("ANormalizerThatWouldFillMemoryIsRefused") {
  const json grow = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(16, 'a')}};
  json content = BareJson();
  content["normalizer"] = {{"type", "Sequence"}, {"normalizers", {grow, grow, grow}}};
  CHECK(Load(content)->vocab_size() > 0);
  content["normalizer"]["normalizers"].push_back(grow);
  CHECK(LoadStatus(content.dump()) ==
        absl::InvalidArgumentError("$.normalizer: could make a text 65536 times as long; the limit is 4096"));
}

TEST_CASE("TruncationAndPaddingOfTheFileCanBeRead") {
  json content = BareJson();
  CHECK_FALSE(Load(content)->truncation());
  CHECK_FALSE(Load(content)->padding());
  content["truncation"] = {{"max_length", 7}, {"strategy", "OnlySecond"}, {"stride", 2}, {"direction", "Left"}};
  content["padding"] = {{"strategy", {{"Fixed", 8}}}, {"direction", "Left"}, {"pad_to_multiple_of", 4}, {"pad_id", 5},
                        {"pad_type_id", 3},           {"pad_token", "<pad>"}};
  const auto tokenizer = Load(content);
  const EncodeOptions truncation = *tokenizer->truncation();
  CHECK(truncation.max_length == 7);
  CHECK(truncation.stride == 2);
  CHECK(truncation.truncation_strategy == TruncationStrategy::kOnlySecond);
  CHECK(truncation.truncation_side == TruncationSide::kLeft);
  const Padding padding = *tokenizer->padding();
  CHECK(padding.id == 5);
  CHECK(padding.type_id == 3);
  CHECK(padding.token == "<pad>");
  CHECK(padding.left);
  CHECK(padding.fixed_length == size_t{8});
  CHECK(padding.multiple_of == 4);

  content["padding"]["strategy"] = "BatchLongest";
  content["padding"].erase("direction");
  CHECK_FALSE(Load(content)->padding()->fixed_length);
  CHECK_FALSE(Load(content)->padding()->left);
  content["padding"]["strategy"] = "Longest";
  CHECK(LoadStatus(content.dump()).message() ==
        R"($.padding.strategy: "Longest" is not supported; known here: BatchLongest, {"Fixed": N})");
  content["padding"] = nullptr;
  content["truncation"]["direction"] = "Middle";
  CHECK(LoadStatus(content.dump()).message() ==
        R"($.truncation.direction: "Middle" is not supported; known here: Left, Right)");
}

TEST_CASE("AFileThatCannotBeReadIsNotFound") {
  CHECK(Tokenizer::FromFile("/nonexistent/tokenizer.json").status().code() == absl::StatusCode::kNotFound);
  CHECK(Tokenizer::FromFile(DataFile("")).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("ErrorsOfAFileNameTheFile") {
  const absl::Status status = Tokenizer::FromFile(DataFile("cased.golden.jsonl")).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(status.message()), Catch::Contains("cased.golden.jsonl: $: not valid JSON at byte"));
}

}  // namespace
}  // namespace bertha::tokenizer
