#include "server/model_table.h"

#include <memory>

#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

using absl::StatusCode;

void Serve(ModelTable& table, const std::string& name, int64_t version) {
  auto model = std::make_shared<ServingModel>();
  model->key = {name, version};
  table.SetServing(model);
}

TEST_CASE("TheNewestServingVersionAnswersUnlessOneIsAskedFor") {
  ModelTable table("");
  Serve(table, "m", 2);
  Serve(table, "m", 10);
  table.SetFailed({"m", 11}, "damaged");
  table.SetLoading({"m", 12});
  CHECK((*table.Find("m", 0, ""))->key.version == 10);
  CHECK((*table.Find("m", 2, ""))->key.version == 2);
  CHECK(Is(table.Find("m", 11, "").status(), StatusCode::kNotFound, "damaged"));
  CHECK(Is(table.Find("m", 12, "").status(), StatusCode::kUnavailable, "loaded"));
  CHECK(Is(table.Find("m", 3, "").status(), StatusCode::kNotFound, "loaded: m:2, m:10"));
}

TEST_CASE("LongNamesAreShortenedInWhatIsSaidOfThem") {
  ModelTable table("");
  Serve(table, "m", 2);
  table.SetLabels("m", {{"stable", 2}});
  const std::string start(80, 'x'), name(16'000, 'x');
  const std::string quoted = absl::StrCat("\"", start, "...\" (16000 bytes)");
  CHECK(
      Is(table.Find(name, 0, "").status(), StatusCode::kNotFound, absl::StrCat("no model ", quoted, "; loaded: m:2")));
  CHECK(Is(table.Find("m", 0, name).status(), StatusCode::kNotFound, absl::StrCat("has no label ", quoted, "; its")));
}

TEST_CASE("TheOnlyModelIsTheDefault") {
  ModelTable table("");
  CHECK(Is(table.Find("", 0, "").status(), StatusCode::kNotFound, "loaded: nothing"));
  Serve(table, "a", 1);
  CHECK((*table.Find("", 0, ""))->key.name == "a");
}

TEST_CASE("OfTwoModelsNoneIsTheDefault") {
  ModelTable table("");
  table.SetLoading({"a", 1});
  table.SetLoading({"b", 1});
  Serve(table, "a", 1);
  Serve(table, "b", 1);
  CHECK(Is(table.Find("", 0, "").status(), StatusCode::kNotFound, "loaded: a:1, b:1"));
  CHECK(table.Problems().empty());
}

TEST_CASE("TheOnlyModelStaysTheDefaultWhenAnotherJoinsItAndItIsSaidThatThisWillNotLast") {
  ModelTable table("");
  Serve(table, "a", 1);
  table.SetLoading({"b", 1});
  Serve(table, "b", 1);
  CHECK((*table.Find("", 0, ""))->key.name == "a");
  REQUIRE(table.Problems().size() == 1);
  CHECK(table.Problems()[0].find("models.default") != std::string::npos);
  table.Remove({"a", 1});
  CHECK((*table.Find("", 0, ""))->key.name == "b");
  CHECK(table.Problems().empty());
}

TEST_CASE("AConfiguredDefaultAnswersForRequestsWithoutAModel") {
  ModelTable table("b");
  Serve(table, "a", 1);
  Serve(table, "b", 1);
  Serve(table, "b", 2);
  CHECK((*table.Find("", 0, ""))->key.ToString() == "b:2");
  const auto list = table.List();
  REQUIRE(list.size() == 3);
  CHECK_FALSE(list[0].is_default);
  CHECK_FALSE(list[1].is_default);
  CHECK(list[2].is_default);
}

TEST_CASE("AModelStaysUsableForThoseWhoHoldItWhenItIsReplacedOrRemoved") {
  ModelTable table("");
  Serve(table, "m", 1);
  const auto first = *table.Find("m", 1, "");
  Serve(table, "m", 1);
  const auto second = *table.Find("m", 1, "");
  CHECK(first != second);
  CHECK(first.use_count() == 1);
  table.Remove({"m", 1});
  CHECK(second->key.name == "m");
  CHECK(second.use_count() == 1);
  CHECK(table.List().empty());
}

TEST_CASE("ARefusedUpdateLeavesTheOldOneServingWithTheReasonBesideIt") {
  ModelTable table("");
  Serve(table, "m", 1);
  table.SetLoading({"m", 1});
  CHECK(table.Find("m", 0, "").ok());
  table.SetFailed({"m", 1}, "model.pt: damaged");
  CHECK(table.Find("m", 0, "").ok());
  CHECK(table.List()[0].state == ModelState::kServing);
  CHECK(table.List()[0].refused_update == "model.pt: damaged");
  Serve(table, "m", 1);
  CHECK(table.List()[0].refused_update.empty());
  CHECK(table.counts().loaded == 2);
  CHECK(table.counts().refused == 1);
}

TEST_CASE("ModelsThatFellBackAreCounted") {
  ModelTable table("");
  Serve(table, "m", 1);
  CHECK(table.counts().fell_back == 0);
  auto model = std::make_shared<ServingModel>();
  model->key = {"n", 1};
  model->fell_back = true;
  table.SetServing(std::move(model));
  CHECK(table.counts().fell_back == 1);
  CHECK(table.counts().loaded == 2);
}

TEST_CASE("AStoppedModelIsListedWithTheReason") {
  ModelTable table("");
  Serve(table, "m", 1);
  Serve(table, "m", 2);
  table.SetStopped({"m", 2}, "unloaded");
  CHECK((*table.Find("m", 0, ""))->key.version == 1);
  CHECK(Is(table.Find("m", 2, "").status(), StatusCode::kNotFound, "\"m:2\" does not serve: unloaded; loaded: m:1"));
  CHECK(table.List().size() == 2);
}

TEST_CASE("ALabelNamesAVersion") {
  ModelTable table("");
  for (int64_t version : {1, 2, 3}) Serve(table, "m", version);
  table.SetLabels("m", {{"canary", 3}, {"stable", 1}, {"also", 1}});
  CHECK((*table.Find("m", 0, "stable"))->key.version == 1);
  CHECK((*table.Find("", 0, "canary"))->key.version == 3);
  CHECK(table.List()[0].labels == std::vector<std::string>{"also", "stable"});
  CHECK(table.List()[1].labels.empty());
  CHECK(Is(table.Find("m", 2, "stable").status(), StatusCode::kInvalidArgument, "version_label"));
  CHECK(Is(table.Find("m", 0, "beta").status(), StatusCode::kNotFound,
           "no label \"beta\"; its labels: also = 1, canary = 3, stable = 1"));
  CHECK(Is(table.Find("other", 0, "stable").status(), StatusCode::kNotFound, "no model \"other\""));
  table.SetLabels("m", {});
  CHECK(Is(table.Find("m", 0, "stable").status(), StatusCode::kNotFound, "has no labels"));
}

TEST_CASE("ALabelWaitsForItsNewVersionAndSaysSo") {
  ModelTable table("");
  Serve(table, "m", 1);
  table.SetLabels("m", {{"stable", 1}});
  table.SetLoading({"m", 2});
  table.SetLabels("m", {{"stable", 2}});
  CHECK((*table.Find("m", 0, "stable"))->key.version == 1);
  CHECK(table.Problems() ==
        std::vector<std::string>{"m: the label \"stable\" points to version 2, which does not serve; it stays at 1"});
  Serve(table, "m", 2);
  CHECK((*table.Find("m", 0, "stable"))->key.version == 2);
  CHECK(table.Problems().empty());
}

TEST_CASE("ALabelThatPointsNowhereIsNotFoundAndSaysWhere") {
  ModelTable table("");
  Serve(table, "m", 1);
  table.SetLabels("m", {{"stable", 7}});
  CHECK(Is(table.Find("m", 0, "stable").status(), StatusCode::kNotFound,
           "the label \"stable\" of the model \"m\" points to version 7, which is not there; loaded: m:1"));
  CHECK(table.Problems().size() == 1);
  table.SetFailed({"m", 7}, "damaged");
  CHECK(Is(table.Find("m", 0, "stable").status(), StatusCode::kNotFound, "\"m:7 (stable)\" does not serve: damaged"));
  table.SetLoading({"m", 7});
  CHECK(table.Find("m", 0, "stable").status().code() == StatusCode::kUnavailable);
  Serve(table, "m", 7);
  CHECK(table.Find("m", 0, "stable").ok());
  table.SetLabels("m", {{"stable", 1}});
  table.Remove({"m", 1});
  CHECK(Is(table.Find("m", 0, "stable").status(), StatusCode::kNotFound, "points to version 1"));
}

}  // namespace
}  // namespace bertha::server
