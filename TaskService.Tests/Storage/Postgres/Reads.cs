using System.Collections.Concurrent;
using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>A reader who goes on until it is stopped.</summary>
internal sealed class Reads : IDisposable
{
    private static readonly Uri Tasks = new("/tasks?limit=500", UriKind.Relative);

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
                using var answer = await service.Client.GetAsync(Tasks);
                Interlocked.Increment(ref count);
                if (answer.StatusCode != HttpStatusCode.OK)
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
