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
  CHECK((*table.Find("m", 0))->key.version == 10);
  CHECK((*table.Find("m", 2))->key.version == 2);
  CHECK(Is(table.Find("m", 11).status(), StatusCode::kNotFound, "damaged"));
  CHECK(Is(table.Find("m", 12).status(), StatusCode::kUnavailable, "loaded"));
  CHECK(Is(table.Find("m", 3).status(), StatusCode::kNotFound, "loaded: m:2, m:10"));
}

TEST_CASE("TheOnlyModelIsTheDefault") {
  ModelTable table("");
  CHECK(Is(table.Find("", 0).status(), StatusCode::kNotFound, "loaded: nothing"));
  Serve(table, "a", 1);
  CHECK((*table.Find("", 0))->key.name == "a");
  Serve(table, "b", 1);
  CHECK(Is(table.Find("", 0).status(), StatusCode::kNotFound, "loaded: a:1, b:1"));
}

TEST_CASE("AConfiguredDefaultAnswersForRequestsWithoutAModel") {
  ModelTable table("b");
  Serve(table, "a", 1);
  Serve(table, "b", 1);
  Serve(table, "b", 2);
  CHECK((*table.Find("", 0))->key.ToString() == "b:2");
  const auto list = table.List();
  REQUIRE(list.size() == 3);
  CHECK_FALSE(list[0].is_default);
  CHECK_FALSE(list[1].is_default);
  CHECK(list[2].is_default);
}

TEST_CASE("AModelStaysUsableForThoseWhoHoldItWhenItIsReplaced") {
  ModelTable table("");
  Serve(table, "m", 1);
  const auto held = *table.Find("m", 1);
  table.SetFailed({"m", 1}, "gone");
  CHECK(held->key.name == "m");
  CHECK(held.use_count() == 1);
}

}  // namespace
}  // namespace bertha::server
