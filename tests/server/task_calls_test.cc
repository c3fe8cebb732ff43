// What TagTokens, Answer and Embed share with Classify is tested in classify_call_test.cc; here: what is theirs,
// windows, and calls of the wrong task.
#include <cmath>
#include <string>
#include <vector>

#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

using absl::StatusCode;
using models::Task;

v1::TagTokensRequest TagRequest(const std::vector<std::string>& texts, const std::string& model = "m") {
  v1::TagTokensRequest request;
  request.set_model(model);
  for (const std::string& text : texts) request.add_inputs()->set_text(text);
  return request;
}

v1::EmbedRequest EmbedRequestOf(const std::vector<std::string>& texts) {
  v1::EmbedRequest request;
  for (const std::string& text : texts) request.add_inputs()->set_text(text);
  return request;
}

v1::AnswerRequest Question(const std::string& question, const std::string& context) {
  v1::AnswerRequest request;
  v1::QuestionInput& input = *request.add_inputs();
  input.set_question(question);
  input.set_context(context);
  return request;
}

TEST_CASE("ALongTextIsComputedInWindowsWhoseLogitsAreAveraged") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kSequenceClassification);
  v1::ClassifyRequest request = f.Request({"a b c d e f g h i j", "z"});
  request.mutable_options()->set_raw_logits(true);
  request.mutable_options()->set_truncation(v1::TRUNCATION_POLICY_WINDOW);
  request.mutable_options()->set_stride(3);
  v1::ClassifyResponse response;
  REQUIRE(f.Classify(request, &response).ok());
  // [CLS] a..h [SEP] and [CLS] f..j [SEP]; a row is {sum of ids, tokens}.
  const float first = 1 + 2 + 8 * 'a' + 28, second = 1 + 2 + 5 * 'a' + 35;
  const v1::ClassifyResult& result = response.results(0);
  CHECK(result.windows() == 2);
  CHECK(result.tokens() == 17);
  CHECK_FALSE(result.truncated());
  CHECK(result.logits(0) == Approx((first + second) / 2));
  CHECK(result.logits(1) == Approx(8.5));
  CHECK(response.results(1).windows() == 1);
  CHECK(response.results(1).logits(0) == 1 + 2 + 'z');
}

TEST_CASE("OfAPairTheLongerTextIsCutIntoWindows") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kSequenceClassification, /*pairs=*/true);
  v1::ClassifyRequest request = f.Request({"a b c d e f g h i j"});
  request.mutable_inputs(0)->set_text_pair("z z");
  request.mutable_options()->set_raw_logits(true);
  request.mutable_options()->set_truncation(v1::TRUNCATION_POLICY_WINDOW);
  request.mutable_options()->set_stride(0);
  v1::ClassifyResponse response;
  REQUIRE(f.Classify(request, &response).ok());
  // Room for five: a..e and f..j, each with z z.
  CHECK(response.results(0).windows() == 2);
  CHECK(response.results(0).logits(0) == Approx((10 * 'a' + 45) / 2.0 + 1 + 2 + 2 + 2 * 'z'));
}

TEST_CASE("WindowsAreBoundedAndTheirOptionsChecked") {
  InferenceFixture f({}, {.max_windows = 3});
  f.AddWordModel("m", Task::kSequenceClassification);
  v1::ClassifyRequest request = f.Request({"a", std::string(200, 'a')});
  for (size_t i = 1; i < 200; i += 2) (*request.mutable_inputs(1)->mutable_text())[i] = ' ';
  request.mutable_options()->set_truncation(v1::TRUNCATION_POLICY_WINDOW);
  CHECK(Is(f.Classify(request), StatusCode::kInvalidArgument,
           "inputs[1].text: is too long for 3 windows (limits.max_windows_per_input) of 10 tokens, 2 of them shared"));
  request.mutable_options()->set_stride(8);
  CHECK(Is(f.Classify(request), StatusCode::kInvalidArgument, "options.stride"));
  request.mutable_options()->set_truncation(v1::TRUNCATION_POLICY_RIGHT);
  CHECK(Is(f.Classify(request), StatusCode::kInvalidArgument, "options.stride: only goes with"));
}

TEST_CASE("WindowsNeedPlacesInTheQueueToo") {
  InferenceFixture f({.max_requests = 2});
  f.AddWordModel("m", Task::kSequenceClassification);
  v1::ClassifyRequest request = f.Request({"a b c d e f g h i j k l m n o p q r s t u v w"});
  request.mutable_options()->set_truncation(v1::TRUNCATION_POLICY_WINDOW);
  CHECK_FALSE(f.Classify(request).ok());
  request.mutable_inputs(0)->set_text("a b c d e f g h i j");
  CHECK(f.Classify(request).ok());
}

TEST_CASE("AFailedWindowFailsItsCallOnce") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kSequenceClassification)->on_run = [](const std::vector<int32_t>& ids) {
    return std::ranges::find(ids, 'j') == ids.end() ? absl::OkStatus() : absl::InternalError("out of luck");
  };
  v1::ClassifyRequest request = f.Request({"a b c d e f g h i j", "b"});
  request.mutable_options()->set_truncation(v1::TRUNCATION_POLICY_WINDOW);
  CHECK(Is(f.Classify(request), StatusCode::kInternal, "inputs[0]: out of luck"));
}

TEST_CASE("ACallOfTheWrongTaskSaysWhichOneIsRight") {
  InferenceFixture f;
  f.AddWordModel("classifier", Task::kSequenceClassification);
  f.AddWordModel("tagger", Task::kTokenClassification);
  f.AddWordModel("reader", Task::kQuestionAnswering);
  f.AddWordModel("embedder", Task::kEmbeddings);
  v1::TagTokensResponse tags;
  CHECK(Is(f.Do(TagRequest({"a"}, "classifier"), &tags), StatusCode::kFailedPrecondition,
           "the model \"classifier\" does sequence-classification; call Classify, not TagTokens"));
  CHECK(Is(f.Classify(f.Request({"a"}, "tagger")), StatusCode::kFailedPrecondition, "call TagTokens, not Classify"));
  CHECK(Is(f.Classify(f.Request({"a"}, "reader")), StatusCode::kFailedPrecondition, "call Answer, not Classify"));
  v1::AnswerRequest question = Question("a", "b");
  question.set_model("embedder");
  v1::AnswerResponse answers;
  CHECK(Is(f.Do(question, &answers), StatusCode::kFailedPrecondition, "call Embed, not Answer"));
}

TEST_CASE("EntitiesComeWithTheirPlacesInTheText") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kTokenClassification);
  v1::TagTokensResponse response;
  // Rows are {id, place}: the place never is larger than the id of a letter, but it is than that of an unknown word, 0.
  REQUIRE(f.Do(TagRequest({"a \xc3\xa9\xc3\xa9 b", "a"}), &response).ok());
  REQUIRE(response.results(0).entities_size() == 1);
  const v1::Entity& entity = response.results(0).entities(0);
  CHECK(entity.label() == "X");
  CHECK(entity.text() == "\xc3\xa9\xc3\xa9");
  CHECK(entity.bytes().begin() == 2);
  CHECK(entity.bytes().end() == 6);
  CHECK(entity.chars().begin() == 2);
  CHECK(entity.chars().end() == 4);
  CHECK(entity.score() == Approx(1 / (1 + std::exp(-2.0))));
  CHECK(response.results(1).entities_size() == 0);
  CHECK(response.results(0).tokens() == 5);

  v1::TagTokensRequest request = TagRequest({"a \xc3\xa9\xc3\xa9 b"});
  request.mutable_options()->set_threshold(0.95f);
  REQUIRE(f.Do(request, &response).ok());
  CHECK(response.results(0).entities_size() == 0);
  request.mutable_options()->set_threshold(0);
  request.mutable_options()->set_aggregation(v1::AGGREGATION_NONE);
  REQUIRE(f.Do(request, &response).ok());
  CHECK(response.results(0).entities(0).label() == "B-X");
}

TEST_CASE("BadOptionsOfTheTasksAreRefused") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kTokenClassification);
  v1::TagTokensResponse tags;
  v1::TagTokensRequest tag = TagRequest({"a"});
  tag.mutable_options()->set_aggregation(static_cast<v1::Aggregation>(77));
  CHECK(Is(f.Do(tag, &tags), StatusCode::kInvalidArgument, "options.aggregation: unknown value 77"));
  tag = TagRequest({"a"});
  tag.set_priority(static_cast<v1::Priority>(9));
  CHECK(Is(f.Do(tag, &tags), StatusCode::kInvalidArgument, "priority: unknown value 9"));
  tag.set_priority(v1::PRIORITY_BATCH);
  CHECK(f.Do(tag, &tags).ok());
  tag = TagRequest({"a"});
  tag.mutable_options()->set_threshold(-1);
  CHECK(Is(f.Do(tag, &tags), StatusCode::kInvalidArgument, "options.threshold"));
  tag = TagRequest({"a"});
  tag.mutable_inputs(0)->set_text_pair("b");
  CHECK(Is(f.Do(tag, &tags), StatusCode::kFailedPrecondition, "inputs[0].text_pair"));
  CHECK(Is(f.Do(TagRequest({}), &tags), StatusCode::kInvalidArgument, "inputs: is empty"));
}

TEST_CASE("AnAnswerIsASpanOfTheContext") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kQuestionAnswering);
  // Start logits are the ids, end logits the places: the answer begins at the last letter of the alphabet.
  v1::AnswerResponse response;
  REQUIRE(f.Do(Question("q", "b \xc3\xa9 y a"), &response).ok());
  REQUIRE(response.results(0).answers_size() == 1);
  const v1::FoundAnswer& answer = response.results(0).answers(0);
  CHECK(answer.text() == "y a");
  CHECK(answer.bytes().begin() == 5);
  CHECK(answer.bytes().end() == 8);
  CHECK(answer.chars().begin() == 4);
  CHECK(answer.chars().end() == 7);
  CHECK(answer.score() > 0);
  CHECK(response.results(0).windows() == 1);
  CHECK(response.results(0).tokens() == 8);
}

TEST_CASE("ALongContextIsReadInWindowsAndAQuestionMustLeaveRoomForIt") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kQuestionAnswering);
  v1::AnswerResponse response;
  REQUIRE(f.Do(Question("q", "a b c d e f g h i j k l z a b"), &response).ok());
  CHECK(response.results(0).windows() > 1);
  REQUIRE(response.results(0).answers_size() == 1);
  CHECK(response.results(0).answers(0).bytes().begin() == 24);
  CHECK(Is(f.Do(Question("a b c d e f g", "a"), &response), StatusCode::kInvalidArgument,
           "inputs[0].question: has 10 tokens, special tokens included; the model takes 10"));
  v1::AnswerRequest request = Question("q", "a");
  request.mutable_options()->set_stride(6);
  CHECK(Is(f.Do(request, &response), StatusCode::kInvalidArgument,
           "inputs[0].context: options.stride is 6, but beside the question a window has room for 6 tokens"));
}

TEST_CASE("TheWorkOfFindingAnswersIsBounded") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kQuestionAnswering);
  v1::AnswerResponse response;
  v1::AnswerRequest request = Question("q", "a");
  request.mutable_options()->set_top_k(101);
  CHECK(Is(f.Do(request, &response), StatusCode::kInvalidArgument, "options.top_k: is 101, at most 100"));
  request = Question("q", "a");
  request.mutable_options()->set_max_answer_tokens(257);
  CHECK(Is(f.Do(request, &response), StatusCode::kInvalidArgument, "options.max_answer_tokens: is 257, at most 256"));
  request.mutable_options()->set_max_answer_tokens(256);
  request.mutable_options()->set_top_k(100);
  CHECK(f.Do(request, &response).ok());
}

TEST_CASE("VectorsArePooledAndNormalizedAsAsked") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kEmbeddings);
  v1::EmbedRequest request = EmbedRequestOf({"a c", ""});
  v1::EmbedResponse response;
  REQUIRE(f.Do(request, &response).ok());
  REQUIRE(response.results(0).vector_size() == 2);
  CHECK(response.results(0).vector(0) == Approx((1 + 'a' + 'c' + 2) / 4.0));
  CHECK(response.results(0).vector(1) == Approx(1.5));
  CHECK(response.results(1).vector(0) == Approx(1.5));
  request.mutable_options()->set_pooling(v1::POOLING_CLS_MEAN);
  REQUIRE(f.Do(request, &response).ok());
  REQUIRE(response.results(0).vector_size() == 4);
  CHECK(response.results(0).vector(0) == 1);
  request.mutable_options()->set_pooling(v1::POOLING_LAST);
  request.mutable_options()->set_normalize(true);
  REQUIRE(f.Do(request, &response).ok());
  CHECK(response.results(0).vector(0) == Approx(2 / std::sqrt(13.0)));
}

TEST_CASE("VectorsOfTokensComeWithTheirPlacesAndAreBounded") {
  InferenceFixture f({}, {.max_response_bytes = 40});
  f.AddWordModel("m", Task::kEmbeddings);
  v1::EmbedRequest request = EmbedRequestOf({"b c"});
  request.mutable_options()->set_pooling(v1::POOLING_NONE);
  v1::EmbedResponse response;
  REQUIRE(f.Do(request, &response).ok());
  CHECK(response.results(0).vector_size() == 0);
  REQUIRE(response.results(0).token_vectors_size() == 4);
  const v1::TokenVector& token = response.results(0).token_vectors(2);
  CHECK(token.token() == "c");
  CHECK(token.bytes().begin() == 2);
  CHECK(token.vector(0) == 'c');
  CHECK(token.vector(1) == 2);
  request.add_inputs()->set_text("d");
  CHECK(Is(f.Do(request, &response), StatusCode::kInvalidArgument, "inputs[1].text: the vectors of the tokens"));
  request = EmbedRequestOf({"b"});
  request.mutable_options()->set_pooling(v1::POOLING_NONE);
  request.mutable_options()->set_truncation(v1::TRUNCATION_POLICY_WINDOW);
  CHECK(Is(f.Do(request, &response), StatusCode::kInvalidArgument, "POOLING_NONE does not go with"));
}

}  // namespace
}  // namespace bertha::server
