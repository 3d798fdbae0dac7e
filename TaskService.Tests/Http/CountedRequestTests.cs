using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>How requests and what they do are counted and timed.</summary>
public sealed class CountedRequestTests
{
    [Theory]
    [InlineData("/headers", "route.GET./headers.200")]
    [InlineData("/nothing/here", "route.GET._not_found.404")]
    [InlineData("/throws", "route.GET./throws.500")]
    public async Task A_request_is_counted_by_its_method_route_and_status_whatever_becomes_of_it(
        string path, string name)
    {
        await using var app = await ObservedApp.StartAsync("statistics: true");
        await app.GetAsync(path);
        await app.EventsAsync(1);
        Assert.Equal([(name, 1L)], Counts(app));
    }

    [Fact]
    public async Task What_a_request_does_is_counted_and_queries_of_a_kind_together()
    {
        await using var app = await ObservedApp.StartAsync("statistics: true", addRoutes: routes =>
            routes.MapGet("/hello", async (HttpContext http, CancellationToken cancel) =>
            {
                foreach (var id in new[] { "'first'", "2" })
                {
                    using var query = Operation.Start(".sql");
                    query.Set("query", $"SELECT a, b\nFROM hello WHERE id = {id} LIMIT 10");
                }
                using (Operation.Start(".own"))
                {
                    await Task.Yield();
                }
                using var client = ObservedApp.ClientOf(http);
                using var answer = await client.GetAsync(new Uri($"http://{http.Request.Host}/headers"), cancel);
            }));
        await app.GetAsync("/hello");
        await app.EventsAsync(6);
        Assert.Equal(
            [
                ("request.httpclient", 1L), ("request.own", 1L), ("route.GET./headers.200", 1L),
                ("route.GET./hello.200", 1L), ("sql.SELECT FROM hello WHERE id = ? LIMIT ?", 2L),
            ],
            Counts(app));
        Assert.All(app.Statistics!.Snapshot(), one =>
        {
            Assert.InRange(one.AverageMs, one.MinMs, one.MaxMs);
            Assert.InRange(one.P50Ms, one.MinMs, one.P99Ms);
            Assert.InRange(one.P99Ms, one.P50Ms, one.MaxMs);
        });
        app.Statistics.Take();
        Assert.Empty(Counts(app));
    }

    [Fact]
    public async Task An_operation_that_fails_is_counted_and_timed_like_any_other()
    {
        await using var app = await ObservedApp.StartAsync("statistics: true", addRoutes: routes =>
            routes.MapGet("/fails", () => Operation.RunAsync<int>(
                ".work", _ => throw new InvalidDataException("broken")).AsTask()));
        await app.GetAsync("/fails");
        await app.EventsAsync(2);
        Assert.Equal([("request.work", 1L), ("route.GET./fails.500", 1L)], Counts(app));
    }

    private static IEnumerable<(string Name, long Count)> Counts(ObservedApp app) =>
        app.Statistics!.Snapshot()
            .Select(one => (Name: string.Join('.', one.Name.Flat), one.Count))
            .OrderBy(one => one.Name, StringComparer.Ordinal);
}
