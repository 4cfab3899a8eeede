/* Hawser: Multipath TCP version 1 (RFC 8684) in user space. Includes the whole public interface. */
#ifndef HAWSER_HAWSER_H
#define HAWSER_HAWSER_H

#include <hawser/addr.h>
#include <hawser/congestion.h>
#include <hawser/door.h>
#include <hawser/env.h>
#include <hawser/event.h>
#include <hawser/host.h>
#include <hawser/info.h>
#include <hawser/packet.h>
#include <hawser/path_manager.h>
#include <hawser/scheduler.h>
#include <hawser/socket.h>
#include <hawser/stack.h>
#include <hawser/version.h>

#endif
