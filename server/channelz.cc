#include "server/channelz.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"

namespace bertha::server {
namespace {

using nlohmann::json;

/// `text`: gRPC's, freed here. Null if there is none.
json Parse(char* text) {
  const std::unique_ptr<char, decltype(&gpr_free)> owner(text, &gpr_free);
  return text ? json::parse(text, nullptr, false) : json();
}

/// Numbers of 64 bits are texts in protobuf's JSON, and those that are zero are left out.
int64_t Number(const json& object, const char* key) {
  const auto it = object.find(key);
  int64_t number = 0;
  if (it == object.end() || !it->is_string() || !absl::SimpleAtoi(it->get_ref<const std::string&>(), &number)) return 0;
  return number;
}

/// "chttp2 ipv6:%5B::1%5D:5000" or the like to "ipv6:[::1]:5000".
std::string PeerOf(const std::string& name) {
  return absl::StrReplaceAll(name.substr(name.rfind(' ') + 1), {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}});
}

json ListOf(const json& answer, const char* key) {
  return answer.is_object() && answer.contains(key) ? answer[key] : json::array();
}

}  // namespace

void Channelz::FindNew() {
  for (const json& server : ListOf(Parse(grpc_channelz_get_servers(0)), "server")) {
    const intptr_t id = Number(server["ref"], "serverId");
    intptr_t& next = next_[id];
    while (true) {
      const json sockets = ListOf(Parse(grpc_channelz_get_server_sockets(id, next, 0)), "socketRef");
      for (const json& socket : sockets) {
        const intptr_t socket_id = Number(socket, "socketId");
        sockets_[PeerOf(socket.value("name", ""))] = socket_id;
        next = std::max(next, socket_id + 1);
      }
      if (sockets.empty()) break;
    }
  }
}

std::optional<Activity> Channelz::ActivityOf(const std::string& peer) {
  for (const bool again : {true, false}) {
    const auto it = sockets_.find(peer);
    const json found = it == sockets_.end() ? json() : Parse(grpc_channelz_get_socket(it->second));
    if (found.is_object() && found.contains("socket")) {
      const json& data = found["socket"]["data"];
      return Activity{.streams_started = static_cast<uint64_t>(Number(data, "streamsStarted")),
                      .streams_succeeded = static_cast<uint64_t>(Number(data, "streamsSucceeded")),
                      .streams_failed = static_cast<uint64_t>(Number(data, "streamsFailed")),
                      .messages_received = static_cast<uint64_t>(Number(data, "messagesReceived"))};
    }
    if (again) FindNew();
  }
  return std::nullopt;
}

}  // namespace bertha::server
