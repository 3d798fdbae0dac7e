using System.Collections.Concurrent;
using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>A reader who goes on until it is stopped.</summary>
internal sealed class Reads : IDisposable
{
    // The second goes together with others, and no task has this id.
    private static readonly (Uri Path, HttpStatusCode Expected)[] Paths =
    [
        (new Uri("/tasks?limit=500", UriKind.Relative), HttpStatusCode.OK),
        (new Uri("/tasks/00000000000000000000000000000000", UriKind.Relative), HttpStatusCode.NotFound),
    ];

    private readonly CancellationTokenSource enough = new();
    private readonly Task reading;
    private int count;

    public Reads(RunningService service) => reading = Task.Run(async () =>
    {
        while (!enough.IsCancellationRequested)
        {
            try
            {
                // To its end: an answer of several reads is broken off when one of them fails.
                var (path, expected) = Paths[Count % 2];
                using var answer = await service.Client.GetAsync(path);
                Interlocked.Increment(ref count);
                if (answer.StatusCode != expected)
                {
                    Failed.Enqueue(await answer.Content.ReadAsStringAsync());
                }
            }
            catch (HttpRequestException error)
            {
                Failed.Enqueue(error.ToString());
            }
        }
    });

    private ConcurrentQueue<string> Failed { get; } = new();

    public int Count => Volatile.Read(ref count);

    public void AssertNoneFailed() => Assert.True(Failed.IsEmpty, string.Join('\n', Failed));

    public async Task StopAsync()
    {
        await enough.CancelAsync();
        await reading;
    }

    public void Dispose() => enough.Dispose();
}
