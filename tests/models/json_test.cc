#include "models/json.h"

#include <functional>

#include "tests/catch.h"

namespace bertha::models {
namespace {

using nlohmann::json;

std::string Repeat(const std::string& text, int n) {
  std::string result;
  for (int i = 0; i < n; ++i) result += text;
  return result;
}

TEST_CASE("ADocumentThatIsNoJsonObjectIsRefusedWithTheReason") {
  struct Case {
    std::string text;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"", "not valid JSON, at byte 1"},
      {"{", "not valid JSON, at byte 2"},
      {"{}x", "not valid JSON, at byte 3"},
      {R"({"a":1,})", "not valid JSON, at byte 8"},
      {R"({"a":NaN})", "not valid JSON, at byte 6"},
      {R"({"a":-Infinity})", "not valid JSON, at byte 7"},
      {R"({"a":01})", "not valid JSON, at byte 7"},
      {"{\"a\":\"\xff\"}", "not valid JSON, at byte 7"},              // no UTF-8 at all
      {"{\"a\":\"\xc0\xaf\"}", "not valid JSON, at byte 7"},          // overlong
      {"{\"a\":\"\xed\xa0\x80\"}", "not valid JSON, at byte 8"},      // a surrogate
      {"{\"a\":\"\xf4\x90\x80\x80\"}", "not valid JSON, at byte 8"},  // beyond U+10FFFF
      {"{\"\xff\":1}", "not valid JSON, at byte 3"},                  // in a key
      {R"({"a":"\ud800"})", "not valid JSON, at byte 13"},            // half of a pair
      {std::string("{\"a\":\"\0\"}", 9), "not valid JSON, at byte 7"},
      {R"({"a":1e999})", "not valid JSON: a number is out of range"},
      {R"({"a":-1e999})", "not valid JSON: a number is out of range"},
      {"[]", "$: expected an object"},
      {"1", "$: expected an object"},
      {"null", "$: expected an object"},
      {R"("{}")", "$: expected an object"},
      {R"({"a":1,"a":1})", "the key \"a\" is there twice"},
      {R"({"a":1,"\u0061":2})", "the key \"a\" is there twice"},
      {R"({"a":{"b":1,"b":2}})", "a: the key \"b\" is there twice"},
      {R"({"a":[{},{"b":1,"c":2,"b":null}]})", "a[1]: the key \"b\" is there twice"},
      {R"({"":1,"":2})", "the key \"\" is there twice"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const absl::StatusOr<json> document = ParseJsonObject(c.text);
    CHECK(document.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(document.status().message() == c.message);
  }
}

TEST_CASE("TheSameKeyInDifferentObjectsIsNoDuplicate") {
  for (const char* text : {R"({"a":{"a":{"a":1}}})", R"({"a":[{"b":1},{"b":2}],"b":3})", R"({"a":"a","b":"a"})"}) {
    CAPTURE(text);
    const absl::StatusOr<json> document = ParseJsonObject(text);
    REQUIRE(document.ok());
    CHECK(document->dump() == text);
  }
}

TEST_CASE("DeepNestingIsRefusedBeforeItIsBuilt") {
  for (const auto& [open, close] : {std::pair("[", "]"), std::pair("{\"a\":", "}")}) {
    CAPTURE(open);
    auto nested = [&, open = open, close = close](int depth) {
      return "{\"a\":" + Repeat(open, depth) + "1" + Repeat(close, depth) + "}";
    };
    CHECK(ParseJsonObject(nested(kMaxJsonDepth - 1)).ok());
    for (const int depth : {kMaxJsonDepth, 1'000'000}) {
      CHECK(ParseJsonObject(nested(depth)).status() ==
            absl::InvalidArgumentError("lists and objects are nested deeper than 64"));
    }
    CHECK_FALSE(ParseJsonObject("{\"a\":" + Repeat(open, 1'000'000)).ok());
  }
}

TEST_CASE("MoreValuesThanAnyFileHasAreRefused") {
  // Lists and objects are values as well.
  for (const char* text : {R"({"a":1,"b":[2]})", R"({"a":[[1]]})", R"({"a":{"b":{"c":1}}})", R"({"a":[1,{}]})"}) {
    CAPTURE(text);
    CHECK(ParseJsonObject(text, 4).ok());
    CHECK(ParseJsonObject(text, 3).status() == absl::InvalidArgumentError("has more than 3 values"));
  }
  CHECK(ParseJsonObject("{\"a\":[" + Repeat("[],", 100'000) + "1]}", 1000).status() ==
        absl::InvalidArgumentError("has more than 1000 values"));
}

TEST_CASE("ForeignTextInAnErrorIsEscapedAndCut") {
  const std::string k100(100, 'k');
  const std::vector<std::pair<json, std::string>> cases = {
      {{{"a\nb", 1}}, R"($."a\nb": unknown key)"},
      {{{"", 1}}, R"($."": unknown key)"},
      {{{"a.b", 1}}, R"($."a.b": unknown key)"},
      {{{k100, 1}}, "$.\"" + k100.substr(0, 80) + "...\" (100 bytes): unknown key"},
  };
  for (const auto& [document, message] : cases) CHECK(JsonReader(document).Done().message() == message);
  CHECK(ParseJsonObject(R"({"a\nb":1,"a\nb":1})").status().message() == R"(the key "a\nb" is there twice)");
}

TEST_CASE("EveryWrongValueIsNamedByItsPath") {
  using Read = std::function<void(JsonReader&)>;
  const Read string = [](JsonReader& reader) { reader.String("k"); };
  const Read small = [](JsonReader& reader) { reader.Integer("k", -3, 7); };
  const Read any = [](JsonReader& reader) { reader.Integer("k", INT64_MIN, INT64_MAX); };
  const Read boolean = [](JsonReader& reader) { reader.Bool("k", true); };
  const Read strings = [](JsonReader& reader) { reader.Strings("k"); };
  const Read ids = [](JsonReader& reader) { reader.Ids("k"); };
  const Read floats = [](JsonReader& reader) { reader.Floats("k"); };
  const Read object = [](JsonReader& reader) { reader.Object("k"); };
  const Read list = [](JsonReader& reader) { reader.List("k"); };
  struct Case {
    std::string text;
    Read read;
    std::string message;
  };
  const std::string small_range = "$.k: expected an integer from -3 to 7";
  const std::vector<Case> cases = {
      {R"({})", string, "$.k: missing"},
      {R"({"k":null})", string, "$.k: missing"},
      {R"({"k":1})", string, "$.k: expected a string"},
      {R"({"k":["a"]})", string, "$.k: expected a string"},
      {R"({})", small, "$.k: missing"},
      {R"({"k":"1"})", small, small_range},
      {R"({"k":1.0})", small, small_range},
      {R"({"k":1e0})", small, small_range},
      {R"({"k":true})", small, small_range},
      {R"({"k":-4})", small, small_range},
      {R"({"k":8})", small, small_range},
      {R"({"k":18446744073709551615})", small, small_range},  // -1 if it wrapped around
      {R"({"k":9223372036854775808})", any,
       "$.k: expected an integer from -9223372036854775808 to 9223372036854775807"},
      {R"({"k":99999999999999999999999})", any,
       "$.k: expected an integer from -9223372036854775808 to 9223372036854775807"},
      {R"({"k":1})", boolean, "$.k: expected true or false"},
      {R"({"k":"true"})", boolean, "$.k: expected true or false"},
      {R"({})", strings, "$.k: missing"},
      {R"({"k":"a"})", strings, "$.k: expected a list"},
      {R"({"k":{"a":"b"}})", strings, "$.k: expected a list"},
      {R"({"k":["a",1,2]})", strings, "$.k[1]: expected a string"},
      {R"({"k":["a","b",null]})", strings, "$.k[2]: expected a string"},
      {R"({"k":[1,-1]})", ids, "$.k[1]: expected a token id"},
      {R"({"k":[1.0]})", ids, "$.k[0]: expected a token id"},
      {R"({"k":["1"]})", ids, "$.k[0]: expected a token id"},
      {R"({"k":[2147483648]})", ids, "$.k[0]: expected a token id"},
      {R"({"k":[0,18446744073709551615]})", ids, "$.k[1]: expected a token id"},
      {R"({"k":[4294967296]})", ids, "$.k[0]: expected a token id"},  // 0 if it were cut to 32 bits
      {R"({"k":[1,"x"]})", floats, "$.k[1]: expected a finite number"},
      {R"({"k":[null]})", floats, "$.k[0]: expected a finite number"},
      {R"({"k":[0,1e39]})", floats, "$.k[1]: expected a finite number"},  // a double, but no float
      {R"({"k":[-1e300]})", floats, "$.k[0]: expected a finite number"},
      {R"({})", object, "$.k: missing"},
      {R"({"k":[]})", object, "$.k: expected an object"},
      {R"({"k":{}})", list, "$.k: expected a list"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const json document = json::parse(c.text);
    JsonReader reader(document);
    c.read(reader);
    const absl::Status status = reader.Done();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.message() == c.message);
  }
}

TEST_CASE("GoodValuesAreReadAsTheyAre") {
  const json document = json::parse(R"({"s":"é","i":-9223372036854775808,"j":9223372036854775807,"b":false,
      "strings":["a",""],"ids":[0,2147483647],"floats":[0,-1,1.5,3e38,18446744073709551615],"o":{},"l":[],"n":null})");
  JsonReader reader(document);
  CHECK(reader.String("s") == "é");
  CHECK(reader.Integer("i", INT64_MIN, INT64_MAX) == INT64_MIN);
  CHECK(reader.Integer("j", INT64_MIN, INT64_MAX) == INT64_MAX);
  CHECK_FALSE(reader.Bool("b", true));
  CHECK(reader.Bool("absent", true));
  CHECK_FALSE(reader.Bool("absent", false));
  CHECK(reader.Strings("strings") == std::vector<std::string>{"a", ""});
  CHECK(reader.Ids("ids") == std::vector<int32_t>{0, INT32_MAX});
  CHECK(reader.Floats("floats") == std::vector<float>{0, -1, 1.5f, 3e38f, 18446744073709551616.0f});
  CHECK(reader.Object("o") == &document["o"]);
  CHECK(reader.List("l") == &document["l"]);
  CHECK(reader.Optional("n") == nullptr);
  CHECK(reader.Optional("absent") == nullptr);
  CHECK(reader.Optional("s") == &document["s"]);
  CHECK(reader.Done() == absl::OkStatus());
}

TEST_CASE("AnUnknownKeyIsNamedBeforeTheOneThatIsMissingForIt") {
  const json document = json::parse(R"({"max_lenght":1})");
  JsonReader reader(document);
  reader.Integer("max_length", 1, 10);
  CHECK(reader.Done().message() == "$.max_lenght: unknown key");
}

TEST_CASE("TheFirstErrorCounts") {
  const json document = json::parse(R"({"a":1,"b":2})");
  JsonReader reader(document, "$.x[4]");
  reader.String("b");
  reader.String("a");
  reader.Fail("c", "is bad");
  CHECK(reader.Done().message() == "$.x[4].b: expected a string");
}

TEST_CASE("AKeyThatNobodyAskedForIsAnError") {
  const json document = json::parse(R"({"a":"","lables":[]})");
  JsonReader reader(document);
  reader.String("a");
  CHECK(reader.Done().message() == "$.lables: unknown key");
}

TEST_CASE("AReaderOfSomethingElseThanAnObjectOnlyFails") {
  for (const char* text : {"[1]", "1", "null", "\"k\""}) {
    CAPTURE(text);
    const json document = json::parse(text);
    JsonReader reader(document, "$.probes[0]");
    CHECK(reader.String("k").empty());
    CHECK(reader.Integer("k", 5, 9) == 5);
    CHECK(reader.Ids("k").empty());
    CHECK(reader.Object("k") == nullptr);
    CHECK(reader.Done().message() == "$.probes[0]: expected an object");
  }
}

}  // namespace
}  // namespace bertha::models
