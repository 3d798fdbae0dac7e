using System.Collections.Concurrent;
using System.Diagnostics;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>
/// A client of the ledger's that reads what it wrote, and knows which statuses there were, and for how long no change
/// was taken.
/// </summary>
internal sealed class StatusClient : DelegatingHandler
{
    private readonly ConcurrentDictionary<int, int> statuses = new();
    private readonly HttpClient http;
    private readonly Lock changing = new();
    private long lastChange = Stopwatch.GetTimestamp();

    public StatusClient(RunningService service)
        : base(new SocketsHttpHandler())
    {
        http = new HttpClient(this, disposeHandler: false)
        {
            BaseAddress = service.Client.BaseAddress,
            Timeout = Until.Limit,
        };
        // No replica has this: what is compared is the primary's.
        http.DefaultRequestHeaders.Add("X-Read-After", "FFFFFFFF/FFFFFFFF");
        Ledger = new LedgerClient(http);
    }

    public LedgerClient Ledger { get; }

    /// <summary>The longest time between two changes that were taken.</summary>
    public (long Start, long End) LongestPause { get; private set; }

    /// <summary>When a change was taken last.</summary>
    public long LastChange
    {
        get
        {
            lock (changing)
            {
                return lastChange;
            }
        }
    }

    /// <summary>Begins to measure anew.</summary>
    public void ForgetPauses()
    {
        lock (changing)
        {
            (lastChange, LongestPause) = (Stopwatch.GetTimestamp(), default);
        }
    }

    public void AssertNothingBut(params int[] expected) => Assert.Empty(statuses.Keys.Except(expected));

    /// <summary>Compares what is there with what the writers know, and sends again what had no answer.</summary>
    public async Task AssertRightAsync(Ledger ledger)
    {
        var found = await Ledger.ListAsync();
        var wrong = ledger.Check(found);
        wrong.AddRange(await ledger.RetryAsync(Ledger, found));
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var answer = await base.SendAsync(request, cancellationToken);
        statuses.AddOrUpdate((int)answer.StatusCode, 1, (_, count) => count + 1);
        if (request.Method != HttpMethod.Get && answer.IsSuccessStatusCode)
        {
            AddChange();
        }
        return answer;
    }

    protected override void Dispose(bool disposing)
    {
        http.Dispose();
        base.Dispose(disposing);
    }

    private void AddChange()
    {
        lock (changing)
        {
            var now = Stopwatch.GetTimestamp();
            if (now - lastChange > LongestPause.End - LongestPause.Start)
            {
                LongestPause = (lastChange, now);
            }
            lastChange = now;
        }
    }
}
