using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>HTTPS with a certificate from two files.</summary>
public sealed class TlsTests : IDisposable
{
    // As openssl rsa -traditional -aes128 writes it; nobody gets as far as to what stands in it.
    private const string OlderEncryptedKey = """
        -----BEGIN RSA PRIVATE KEY-----
        Proc-Type: 4,ENCRYPTED
        DEK-Info: AES-128-CBC,1C0C29A5897A6DC3558A278F1109F33A

        AAAA
        -----END RSA PRIVATE KEY-----
        """;

    private readonly TemporaryDirectory directory = new();

    private string Tls => $"tls: {{ cert: '{directory.File("cert.pem")}', key: '{directory.File("key.pem")}' }}";

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task The_api_is_the_same_over_https_in_each_version_of_http(int major)
    {
        var certificate = SomeCertificate.Make();
        certificate.WriteTo(directory);
        await using var service = await RunningService.StartAsync(service: Tls, http: "body-bytes-max: 1000");
        using var client = Client(service, shown: null, new Version(major, major == 1 ? 1 : 0));
        using var created = await client.PostAsync(At("/tasks"), RunningService.Json(Some.TaskJson));
        Assert.Equal((HttpStatusCode.Created, major), (created.StatusCode, created.Version.Major));
        var task = created.Headers.Location!;
        Assert.Contains("Task1", await client.GetStringAsync(task), StringComparison.Ordinal);
        using var tooLarge = await client.PutAsync(task, RunningService.Json(new string(' ', 100_000)));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, tooLarge.StatusCode);
        using var refused = await client.PutAsync(task, RunningService.Json("{"));
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType?.MediaType);
        using var deleted = await client.DeleteAsync(task);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
    }

    [Fact]
    public async Task A_renewed_certificate_is_shown_to_who_connects_next_and_an_unusable_one_never()
    {
        using var files = new LogFiles();
        var (first, second, expired) = (SomeCertificate.Make(), SomeCertificate.Make(), SomeCertificate.Make(-9, -1));
        first.WriteTo(directory);
        await using var service = await RunningService.StartAsync(logging: files.Yaml, service: Tls);
        Assert.Equal(first.Thumbprint, await ShownAsync(service));

        expired.WriteTo(directory);
        var kept = "";
        while (!files.Read("brief").Any(line => line.Contains("is not renewed", StringComparison.Ordinal)))
        {
            kept = await ShownAsync(service);
            Assert.Equal(first.Thumbprint, kept);
        }
        Assert.NotEqual("", kept);

        second.WriteTo(directory);
        while (await ShownAsync(service) is var shown && shown != second.Thumbprint)
        {
            Assert.Equal(first.Thumbprint, shown);
        }
        var lines = files.Read("brief").Where(line => line.Contains("is not renewed", StringComparison.Ordinal));
        Assert.Contains("expired at", Assert.Single(lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_ends_a_stream_of_http_2_within_its_body_has_gone_and_that_is_no_error()
    {
        using var files = new LogFiles();
        SomeCertificate.Make().WriteTo(directory);
        await using var service = await RunningService.StartAsync(logging: files.Yaml, service: Tls);
        using var client = Client(service, shown: null, HttpVersion.Version20);
        // The end of the stream and that of the request are seen in either order.
        for (var i = 0; i < 20; i++)
        {
            using var leave = new CancellationTokenSource();
            var pipe = new System.IO.Pipelines.Pipe();
            // More than the client holds back.
            await pipe.Writer.WriteAsync(new byte[50_000]);
            using var content = new StreamContent(pipe.Reader.AsStream());
            var left = LeaveAsync((2 * i) + 2, leave.CancelAsync);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => client.PostAsync(At("/tasks"), content, leave.Token));
            await left;
            var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", (2 * i) + 3))[^1]);
            Assert.Equal(("499", "INFO", "https"), (line["status"], line["level"], line["scheme"]));
        }

        async Task LeaveAsync(int lines, Func<Task> leave)
        {
            await files.LinesAsync("logfmt", lines);
            await leave();
        }
    }

    [Fact]
    public async Task Who_speaks_plain_http_or_nonsense_is_cut_off_and_nobody_else_notices()
    {
        SomeCertificate.Make().WriteTo(directory);
        await using var service = await RunningService.StartAsync(service: Tls);
        string[] nonsenses = ["GET /tasks HTTP/1.1\r\nHost: a\r\n\r\n", "\u0016\u0003\u0001\0\u0001x"];
        foreach (var nonsense in nonsenses)
        {
            var answer = await RawClient.SendAsync(service.Port, nonsense.Select(c => (byte)c).ToArray(), isCut: true);
            Assert.Equal(0, answer.Status);
        }
        Assert.NotEqual("", await ShownAsync(service));
    }

    [Theory]
    [InlineData("no cert", "service.tls.cert: cert.pem cannot be read: no such file")]
    [InlineData("no key", "service.tls.key: key.pem cannot be read: no such file")]
    [InlineData("a directory", "service.tls.key: key.pem cannot be read: it is a directory")]
    [InlineData("not a cert", "service.tls.cert: cert.pem holds no certificate (-----BEGIN CERTIFICATE-----)")]
    [InlineData("a damaged cert", "service.tls.cert: cert.pem holds a damaged certificate")]
    [InlineData("not a key", "service.tls.key: key.pem holds no private key (-----BEGIN PRIVATE KEY-----)")]
    [InlineData("a damaged key", "service.tls.key: key.pem is damaged, or not the key of cert.pem")]
    [InlineData("another key", "service.tls.key: key.pem is damaged, or not the key of cert.pem")]
    [InlineData("another kind", "service.tls.key: key.pem is damaged, or not the key of cert.pem")]
    [InlineData("a password", "service.tls.key: key.pem is encrypted with a password, which is not supported")]
    [InlineData("an older password", "service.tls.key: key.pem is encrypted with a password, which is not supported")]
    [InlineData("DSA", "service.tls.cert: cert.pem has a key of the type DSA, not RSA or ECDSA")]
    [InlineData("Ed25519", "service.tls.cert: cert.pem has a key of the type Ed25519, not RSA or ECDSA")]
    [InlineData("expired", "service.tls.cert: cert.pem expired at ")]
    [InlineData("not yet", "service.tls.cert: cert.pem is not valid before ")]
    public async Task A_pair_that_cannot_be_used_is_a_failed_start_and_a_line_that_says_why(string problem, string line)
    {
        WritePair(problem);
        var paths = (Cert: directory.File("cert.pem"), Key: directory.File("key.pem"));
        var expected = line.Replace("cert.pem", paths.Cert).Replace("key.pem", paths.Key);
        var error = await Assert.ThrowsAsync<IOException>(() => RunningService.StartAsync(service: Tls));
        Assert.StartsWith(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pair_that_cannot_be_used_is_exit_code_1_and_one_line()
    {
        WritePair("another key");
        await File.WriteAllTextAsync(
            directory.File("c.yaml"),
            "service: { tls: { cert: cert.pem, key: key.pem } }\ntask-db: { memory: }\n");
        using var process = ServiceProcess.Start(directory.Path, "-c", "c.yaml", "-p", "0");
        Assert.Equal(1, await process.ExitAsync());
        Assert.Equal(
            "taskservice: service.tls.key: key.pem is damaged, or not the key of cert.pem",
            Assert.Single(process.Errors));
    }

    [Theory]
    [InlineData("DSA", "has a key of the type DSA, not RSA or ECDSA")]
    [InlineData("Ed25519", "has a key of the type Ed25519, not RSA or ECDSA")]
    [InlineData("an older password", "is encrypted with a password, which is not supported")]
    [InlineData("another key", "is damaged, or not the key of")]
    public async Task A_renewed_pair_that_cannot_be_used_is_logged_and_the_old_one_stays(string problem, string reason)
    {
        using var files = new LogFiles();
        var first = SomeCertificate.Make();
        first.WriteTo(directory);
        await using var service = await RunningService.StartAsync(logging: files.Yaml, service: Tls);
        WritePair(problem);
        while (!files.Read("brief").Any(line => line.Contains(reason, StringComparison.Ordinal)))
        {
            Assert.Equal(first.Thumbprint, await ShownAsync(service));
        }
        Assert.Equal(first.Thumbprint, await ShownAsync(service));
        Assert.Single(files.Read("brief"), line => line.Contains("is not renewed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Handshakes_that_fail_are_counted_and_logged_once_a_minute_with_the_last_reason()
    {
        using var files = new LogFiles();
        using var hits = new LimitHits();
        var minutes = new FakeTimeProvider();
        SomeCertificate.MakeShort().WriteTo(directory);
        await using var service = await RunningService.StartAsync(
            logging: files.Yaml, service: Tls, setup: builder => builder.Services.AddSingleton<TimeProvider>(minutes));
        await FailAsync(1);
        Assert.StartsWith("1 TLS handshakes failed, the last one: ", Assert.Single(await LinesAsync(1)));
        await FailAsync(3);
        // The server sees an end later than the client; the last one that it sees is told.
        await CountedAsync(4);
        await RawClient.SendAsync(service.Port, "GET / HTTP/1.1\r\n\r\n"u8.ToArray(), isCut: true);
        await CountedAsync(5);
        minutes.Advance(FailedHandshakes.Every);
        var second = (await LinesAsync(2))[1];
        Assert.StartsWith("4 TLS handshakes failed, the last one: Cannot determine the frame size", second);
        // With nothing to say there is no line, and the next failure is logged at once.
        minutes.Advance(FailedHandshakes.Every);
        await FailAsync(1);
        Assert.StartsWith("1 TLS handshakes failed", (await LinesAsync(3))[2]);

        async Task FailAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                await Assert.ThrowsAsync<HttpRequestException>(() => ShownAsync(service));
            }
        }

        Task CountedAsync(long count) => Until.TrueAsync(
            () => hits[$"taskservice.tls.handshake.failures {typeof(AuthenticationException).FullName}"] == count,
            $"{count} failures");

        async Task<List<string>> LinesAsync(int count) => [.. (await Until.ResultAsync(
            () => Failures() is var found && found.Count >= count ? found : null, $"{count} lines"))];

        List<string> Failures() => [.. files.Read("logfmt").Select(line => LogfmtLine.Parse(line)["message"]!)
            .Where(message => message.Contains("TLS handshakes", StringComparison.Ordinal))];
    }

    private void WritePair(string problem)
    {
        var good = SomeCertificate.Make();
        var pair = problem switch
        {
            "not a cert" => good with { Cert = good.Key },
            "a damaged cert" => good with { Cert = good.Cert.Replace("MII", "AII", StringComparison.Ordinal) },
            "DSA" => good with { Cert = SomeCertificate.Dsa },
            "Ed25519" => good with { Cert = SomeCertificate.Ed25519 },
            "not a key" => good with { Key = good.Cert },
            "a damaged key" => good with { Key = good.Key.Replace("MIG", "AIG", StringComparison.Ordinal) },
            "another key" => good with { Key = SomeCertificate.Make().Key },
            "another kind" => good with { Key = RsaKey() },
            "a password" => good with { Key = good.EncryptedKey() },
            "an older password" => good with { Key = OlderEncryptedKey },
            "expired" => SomeCertificate.Make(-9, -1),
            "not yet" => SomeCertificate.Make(1, 9),
            _ => good,
        };
        pair.WriteTo(directory);
        File.Delete(directory.File(problem == "no cert" ? "cert.pem" : problem is "no key" or "a directory"
            ? "key.pem" : "none"));
        if (problem == "a directory")
        {
            Directory.CreateDirectory(directory.File("key.pem"));
        }
    }

    private static string RsaKey()
    {
        using var key = RSA.Create(2048);
        return key.ExportPkcs8PrivateKeyPem();
    }

    private static Uri At(string path) => new(path, UriKind.Relative);

    /// <returns>The thumbprint of the certificate that a new connection is shown.</returns>
    private static async Task<string> ShownAsync(RunningService service)
    {
        var shown = "";
        using var client = Client(service, thumbprint => shown = thumbprint, HttpVersion.Version11);
        using var response = await client.GetAsync(At("/health/live"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return shown;
    }

    private static HttpClient Client(RunningService service, Action<string>? shown, Version version)
    {
        var handler = new HttpClientHandler
        {
            ServerCertificateCustomValidationCallback = (_, certificate, _, _) =>
            {
                shown?.Invoke(certificate!.Thumbprint);
                return true;
            },
        };
        return new HttpClient(handler)
        {
            BaseAddress = new Uri($"https://localhost:{service.Port}"),
            DefaultRequestVersion = version,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = Until.Limit,
        };
    }
}
