#include <string>
#include <vector>

#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

using absl::StatusCode;
using models::Task;

v1::TokenizeRequest TokenizeRequestOf(const std::vector<std::string>& texts,
                                      v1::TruncationPolicy policy = v1::TRUNCATION_POLICY_UNSPECIFIED) {
  v1::TokenizeRequest request;
  request.set_truncation(policy);
  for (const std::string& text : texts) request.add_inputs()->set_text(text);
  return request;
}

std::string Shown(const v1::TokenizeResult& result) {
  std::string shown;
  for (const v1::Token& token : result.tokens()) {
    shown += shown.empty() ? "" : " ";
    shown += token.cut() ? "-" + token.text() : token.text();
  }
  return shown;
}

TEST_CASE("TokensComeWithTheirPlacesInTheText") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kTokenClassification);
  v1::TokenizeResponse response;
  REQUIRE(f.Do(TokenizeRequestOf({"a é b"}), &response).ok());
  CHECK(response.model().name() == "m");
  const v1::TokenizeResult& result = response.results(0);
  CHECK(Shown(result) == "[CLS] a [UNK] b [SEP]");
  CHECK(result.tokens(0).special());
  CHECK_FALSE(result.tokens(1).special());
  CHECK(result.tokens(3).id() == 'b');
  CHECK(result.tokens(3).bytes().begin() == 5);
  CHECK(result.tokens(3).chars().begin() == 4);
  CHECK(result.computed() == 5);
  CHECK(result.max_length() == 10);
}

TEST_CASE("TokensThatAreCutOffAreMarked") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kSequenceClassification);
  const std::vector<std::string> text = {"a b c d e f g h i j"};
  const auto shown = [&](v1::TruncationPolicy policy) {
    v1::TokenizeResponse response;
    REQUIRE(f.Do(TokenizeRequestOf(text, policy), &response).ok());
    return Shown(response.results(0));
  };
  CHECK(shown(v1::TRUNCATION_POLICY_UNSPECIFIED) == "[CLS] a b c d e f g h -i -j [SEP]");
  CHECK(shown(v1::TRUNCATION_POLICY_LEFT) == "[CLS] -a -b c d e f g h i j [SEP]");
  CHECK(shown(v1::TRUNCATION_POLICY_WINDOW) == "[CLS] a b c d e f g h i j [SEP]");
  v1::TokenizeResponse response;
  CHECK(Is(f.Do(TokenizeRequestOf(text, v1::TRUNCATION_POLICY_ERROR), &response), StatusCode::kInvalidArgument,
           "inputs[0].text: has 12 tokens, the model takes 10"));
}

TEST_CASE("OfAPairEachTextShowsWhatItLoses") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kSequenceClassification, /*pairs=*/true);
  v1::TokenizeRequest request = TokenizeRequestOf({"a b"});
  request.mutable_inputs(0)->set_text_pair("c d e f g h i");
  v1::TokenizeResponse response;
  REQUIRE(f.Do(request, &response).ok());
  CHECK(Shown(response.results(0)) == "[CLS] a b [SEP] c d e f g -h -i [SEP]");
  CHECK(response.results(0).tokens(4).sequence() == 1);
  CHECK(response.results(0).computed() == 10);
}

TEST_CASE("ATokenizeThatCannotBeIsRefused") {
  InferenceFixture f({}, {.max_inputs = 2, .max_text_bytes = 1000, .max_response_bytes = 320});
  f.AddWordModel("m", Task::kSequenceClassification);
  v1::TokenizeResponse response;
  const auto refused = [&](const v1::TokenizeRequest& request, StatusCode code, const std::string& part) {
    const bool is = Is(f.Do(request, &response), code, part);
    return is && response.results_size() == 0;
  };
  CHECK(refused(TokenizeRequestOf({}), StatusCode::kInvalidArgument, "inputs: is empty"));
  CHECK(refused(TokenizeRequestOf({"a", "b", "c"}), StatusCode::kInvalidArgument, "inputs: has 3 texts, at most 2"));
  CHECK(refused(TokenizeRequestOf({"a", std::string(1001, 'a')}), StatusCode::kInvalidArgument, "inputs[1].text: has"));
  CHECK(refused(TokenizeRequestOf({"a", "a b c d e f g h"}), StatusCode::kInvalidArgument, "larger than allowed"));
  CHECK(refused(TokenizeRequestOf({"a\xff"}), StatusCode::kInvalidArgument, "inputs[0].text: invalid UTF-8"));
  CHECK(refused(TokenizeRequestOf({"a"}, static_cast<v1::TruncationPolicy>(9)), StatusCode::kInvalidArgument,
                "truncation: unknown value 9"));
  v1::TokenizeRequest pair = TokenizeRequestOf({"a"});
  pair.mutable_inputs(0)->set_text_pair("b");
  CHECK(refused(pair, StatusCode::kFailedPrecondition, "inputs[0].text_pair: the model \"m\""));
  v1::TokenizeRequest missing = TokenizeRequestOf({"a"});
  missing.set_model("missing");
  CHECK(refused(missing, StatusCode::kNotFound, "missing"));
}

TEST_CASE("LongTextsAreTokenizedOnThePool") {
  InferenceFixture f({}, {.max_inline_bytes = 2});
  f.AddWordModel("m", Task::kSequenceClassification);
  v1::TokenizeResponse response;
  REQUIRE(f.Do(TokenizeRequestOf({"a b c", "d"}), &response).ok());
  CHECK(response.results_size() == 2);
}

}  // namespace
}  // namespace bertha::server
