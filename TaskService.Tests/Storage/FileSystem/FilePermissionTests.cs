using System.Runtime.Versioning;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.FileSystem;

[Trait("Suite", "long")]
[UnsupportedOSPlatform("windows")]
public sealed class FilePermissionTests() : ReadOnlyPlaces("fs", "store")
{
    [Theory]
    [InlineData("store", ReadOnlyDirectory, "/store may not be written to: Permission denied")]
    [InlineData("store/.keys", ReadOnlyDirectory, "/store/.keys may not be written to: Permission denied")]
    [InlineData("store/.keys", UnixFileMode.None, "/store/.keys")]
    [InlineData("store/.lock", ReadOnlyFile, "/store/.lock' is denied")]
    public async Task Without_permission_to_write_the_start_ends_with_one_line_and_changes_nothing(
        string path, UnixFileMode mode, string problem)
    {
        await CreateAsync();
        await AssertDoesNotStartAsync(path, mode, problem);
    }

    [Fact]
    public async Task A_directory_that_loses_the_permission_is_503_for_changes_and_reads_go_on()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "permissions of Unix");
        using var process = Start();
        using var client = await process.ClientAsync();
        var (created, location) = await SendAsync(client, "POST", "/tasks", "first");
        Assert.Equal(201, created);
        var path = location!.OriginalString;
        // A delete writes to the keys first, once.
        foreach (var part in new[] { "store/.keys", "store" })
        {
            File.SetUnixFileMode(Files.File(part), ReadOnlyDirectory);
            Assert.Equal(503, (await SendAsync(client, "GET", "/health/ready")).Status);
            Assert.Equal(503, (await SendAsync(client, "POST", "/tasks", "second")).Status);
            Assert.Equal(503, (await SendAsync(client, "DELETE", path)).Status);
            Assert.Equal(200, (await SendAsync(client, "GET", path)).Status);
            File.SetUnixFileMode(Files.File(part), All);
            Assert.Equal(200, (await SendAsync(client, "GET", "/health/ready")).Status);
        }
        Assert.Equal(201, (await SendAsync(client, "POST", "/tasks", "second")).Status);
        Assert.Equal(204, (await SendAsync(client, "DELETE", path)).Status);
    }

    private static async Task<(int Status, Uri? Location)> SendAsync(
        HttpClient client, string method, string path, string? key = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
        if (key is not null)
        {
            request.Content = RunningService.Json(Some.TaskJson);
            request.Headers.Add("Idempotency-Key", key);
        }
        using var answer = await client.SendAsync(request);
        return ((int)answer.StatusCode, answer.Headers.Location);
    }
}
