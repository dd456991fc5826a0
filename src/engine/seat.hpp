// What the keeper holds and each engine in turn takes: the sockets, and the
// shared page that says how far the last one had come.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/result.hpp"
#include "nfsteer/engine.hpp"
#include "nfsteer/policy.hpp"
#include "pulse.hpp"
#include "vault.hpp"

namespace nfsteer {

// A bound queue. The socket belongs to the keeper, so the queue and the packets
// in it survive the engine.
struct QueueSeat {
  std::uint16_t number = 0;
  Fd socket;
  std::atomic<std::uint32_t>* answered = nullptr;  // in a page shared with every engine
};

struct Seat {
  RunOptions options;
  EngineConfig engine;  // what of it no reload changes: queues and marks
  Fd lock;              // of the network namespace
  std::vector<QueueSeat> queues;
  std::span<Ticket> tickets;      // of groups, in pages shared with every engine
  SharedState* shared = nullptr;  // the same
  Vault rules;                    // the configuration's files
  Vault notes;                    // an EngineState, as a file of that name
  Fd control;                     // listening
  std::uint64_t starts = 0;       // engines so far, the current one included
  // Engines died at once, again and again: perhaps of a packet. Packets that
  // the last one left unanswered get on_bad_packet instead of another try.
  bool distrust_abandoned = false;
};

// Runs an engine in this process until SIGTERM or SIGINT; returns its exit code.
// `ready` gets the word "ready", or, from the first engine, what kept it from
// starting. Without `config` it is what the seat's vault has. SIGTERM, SIGINT and SIGHUP
// must be blocked by the caller.
int run_engine(std::unique_ptr<Config> config, Seat& seat, Fd ready);

}  // namespace nfsteer
