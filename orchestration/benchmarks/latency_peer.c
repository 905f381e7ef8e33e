/* A tick's way through Redis as one writes it in C on hiredis: what Slipway's own way is measured against.
 *
 *   latency_peer {tell,decide} STREAM TICKS PACE_MS GATE SOCKET
 *
 * The parts, the payload, the group, the acknowledgement and the decision are those of latency_peers.py. */

#include <hiredis/hiredis.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A Tick in msgpack: [symbol, when, nil, nil, price, nil, nil, size, ""] */
enum { WHEN = 6, PRICE = 17, PAYLOAD = 37 };
static const unsigned char TICK[PAYLOAD] = {0x99, 0xa3, 'A', 'A', 'A', 0xcf, [14] = 0xc0, 0xc0, 0xcb, [25] = 0xc0,
                                            0xc0, 0xcb, 0x3f, 0xf0, [36] = 0xa0};

static void fail(const char *what) {
    fprintf(stderr, "latency_peer: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void put(unsigned char *to, uint64_t value) {
    value = __builtin_bswap64(value);
    memcpy(to, &value, sizeof value);
}

static uint64_t get(const char *from) {
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return __builtin_bswap64(value);
}

static redisReply *answer(redisContext *redis) {
    void *reply = NULL;
    if (redisGetReply(redis, &reply) != REDIS_OK) fail(redis->errstr);
    if (((redisReply *)reply)->type == REDIS_REPLY_ERROR) fail(((redisReply *)reply)->str);
    return reply;
}

static void send_all(redisContext *redis) {
    int sent = 0;
    while (!sent)
        if (redisBufferWrite(redis, &sent) != REDIS_OK) fail(redis->errstr);
}

static void tell(redisContext *redis, const char *stream, long ticks, long pace_ms, int gate) {
    char command[512];
    int head = snprintf(command, sizeof command,
                        "*12\r\n$4\r\nXADD\r\n$%zu\r\n%s\r\n$6\r\nMAXLEN\r\n$1\r\n~\r\n$5\r\n10000\r\n$1\r\n*\r\n"
                        "$1\r\nt\r\n$%d\r\n", strlen(stream), stream, PAYLOAD);
    static const char tail[] = "\r\n$4\r\nfeed\r\n$5\r\nbench\r\n$3\r\nseq\r\n$1\r\n0\r\n";
    unsigned char *payload = (unsigned char *)command + head;
    memcpy(payload, TICK, PAYLOAD);
    memcpy(payload + PAYLOAD, tail, sizeof tail - 1);
    size_t length = (size_t)head + PAYLOAD + sizeof tail - 1;
    const struct timespec pace = {pace_ms / 1000, pace_ms % 1000 * 1000000};
    char line[16];
    for (long number = 0; fgets(line, sizeof line, stdin);) {
        for (long each = 0; each < ticks; each++, number++) {
            double price = 100.0 + (double)(number * 7919 % 101 - 50) / 100.0;
            uint64_t bits;
            memcpy(&bits, &price, sizeof bits);
            put(payload + PRICE, bits);
            put(payload + WHEN, now_ns());
            redisAppendFormattedCommand(redis, command, length);
            send_all(redis);
            char decided;
            if (read(gate, &decided, 1) != 1) fail("the gate is closed");
            freeReplyObject(answer(redis)); /* not before: it is there long since, and nobody waited for it */
            if (pace_ms && each + 1 < ticks) nanosleep(&pace, NULL);
        }
    }
}

static void decide(redisContext *redis, const char *stream, long ticks, int gate) {
    uint64_t *took_ns = calloc((size_t)ticks + 1, sizeof *took_ns);
    double fast = 100.0, slow = 100.0;
    int target = 0;
    long decided = 0;
    char *read = NULL;
    int read_length = redisFormatCommand(
        &read, "XREADGROUP GROUP bench.1 1 COUNT 256 BLOCK 1000 STREAMS %s >", stream);
    redisAppendFormattedCommand(redis, read, (size_t)read_length);
    for (;;) {
        redisReply *reply = answer(redis);
        int acknowledged = 0;
        if (reply->type == REDIS_REPLY_ARRAY) {
            redisReply *entries = reply->element[0]->element[1];
            for (size_t each = 0; each < entries->elements; each++) {
                redisReply *id = entries->element[each]->element[0];
                redisReply *fields = entries->element[each]->element[1];
                if (fields->element[0]->len != 1 || fields->element[0]->str[0] != 't') continue;
                const char *tick = fields->element[1]->str;
                uint64_t bits = get(tick + PRICE);
                double price;
                memcpy(&price, &bits, sizeof price);
                fast += 0.2 * (price - fast);
                slow += 0.05 * (price - slow);
                if ((fast > slow) != target) {
                    target = fast > slow;
                    took_ns[ticks]++;
                }
                took_ns[decided++] = now_ns() - get(tick + WHEN);
                redisAppendCommand(redis, "XACK %s bench.1 %b", stream, id->str, (size_t)id->len);
                acknowledged++;
                if (decided == ticks) {
                    fwrite(took_ns, sizeof *took_ns, (size_t)ticks + 1, stdout);
                    fflush(stdout);
                    decided = 0;
                    took_ns[ticks] = 0;
                }
            }
        }
        freeReplyObject(reply);
        redisAppendFormattedCommand(redis, read, (size_t)read_length);
        send_all(redis);
        for (int each = 0; each < acknowledged; each++)
            if (write(gate, "\n", 1) != 1) fail("the gate is closed");
        while (acknowledged--) freeReplyObject(answer(redis));
    }
}

int main(int count, char **given) {
    if (count != 7) fail("expects a part, a stream, ticks, a pace, a gate and a socket");
    redisContext *redis = redisConnectUnix(given[6]);
    if (redis == NULL || redis->err) fail("cannot connect");
    redisAppendCommand(redis, "AUTH %s", getenv("LATENCY_PEER_PASSWORD"));
    freeReplyObject(answer(redis));
    const char *stream = given[2];
    long ticks = strtol(given[3], NULL, 10), pace_ms = strtol(given[4], NULL, 10);
    int gate = (int)strtol(given[5], NULL, 10);
    if (strcmp(given[1], "tell") == 0)
        tell(redis, stream, ticks, pace_ms, gate);
    else
        decide(redis, stream, ticks, gate);
    return 0;
}
