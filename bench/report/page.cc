#include "bench/report/page.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "embedded/bertha_report_pages.h"

namespace bertha::report {
namespace {

/// Of every page.
constexpr absl::string_view kDataElement = "<script type=\"application/json\" id=\"data\">";

/// JSON that stands in a script element: `<` occurs in strings only, where it may be written so.
std::string ScriptSafe(const nlohmann::json& data) {
  const std::string text = data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return absl::StrReplaceAll(text, {{"<", "\\u003c"}});
}

absl::string_view FindPage(absl::string_view name) {
  const auto pages = server::ReportPages();
  const auto found = std::find_if(pages.begin(), pages.end(), [&](const auto& page) { return page.name == name; });
  return found == pages.end() ? absl::string_view() : found->bytes;
}

}  // namespace

std::string RenderPage(absl::string_view name, const nlohmann::json& data) {
  const absl::string_view page = FindPage(name);
  const size_t begin = page.find(kDataElement) + kDataElement.size();
  return absl::StrCat(page.substr(0, begin), ScriptSafe(data), page.substr(begin));
}

}  // namespace bertha::report
