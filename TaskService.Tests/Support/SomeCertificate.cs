using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace TaskService.Tests.Support;

/// <summary>A certificate for localhost that vouches for itself, and its key, in PEM.</summary>
internal sealed record SomeCertificate(string Cert, string Key, string Thumbprint)
{
    /// <summary>Of openssl: .NET makes none. It is valid for a hundred years.</summary>
    public const string Ed25519 = """
        -----BEGIN CERTIFICATE-----
        MIIBPjCB8aADAgECAhQ2Va+IlaVIsGHVy/qTMjLOn0nKcDAFBgMrZXAwFDESMBAG
        A1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNjE0MjQyNVoYDzIxMjYxMTAyMTQyNDI1
        WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwKjAFBgMrZXADIQChN8mKDA0MVGG99y2R
        hhh1M6OplQPAD3C9rfHU9VgqnKNTMFEwHQYDVR0OBBYEFMUfdzMjlPv1FeNn+Z+k
        OfdRSqwLMB8GA1UdIwQYMBaAFMUfdzMjlPv1FeNn+Z+kOfdRSqwLMA8GA1UdEwEB
        /wQFMAMBAf8wBQYDK2VwA0EA0nYGo0evFRmWF/PBzI9ELqfX0vk2EMfuHxTekVl8
        KeJR5gEUXbujpyo2hCj9GrNGdQhWsFq7oJzX/Sua3kQKDg==
        -----END CERTIFICATE-----
        """;

    /// <inheritdoc cref="Ed25519"/>
    public const string Dsa = """
        -----BEGIN CERTIFICATE-----
        MIIC4DCCAo2gAwIBAgIUdoRINb9jcsJlO8ZHy3t4JqA/n8IwCwYJYIZIAWUDBAMC
        MBQxEjAQBgNVBAMMCWxvY2FsaG9zdDAgFw0yNjExMjYxNDI2MTVaGA8yMTI2MTEw
        MjE0MjYxNVowFDESMBAGA1UEAwwJbG9jYWxob3N0MIIBvjCCATMGByqGSM44BAEw
        ggEmAoGBAPqTqvc7JoqdhvpW7mcBPQhvnL5y25jrSxxhC+4coPhKnWXdcFIb7FsY
        vmGW2fBCqO3g0IHuIBM+0IrQynSAFLj4Z7bfTd6iCIZnr98FrxA+UFLuU5DSdB0g
        bjWXRYZK3uzCvYhYKFf2HF531wPBKNk6i8afc1cAE+sLE+QA4qlJAh0A8rwczDJl
        OWNymYVLNzaj9ctKVn+55GSIG+6qTwKBgGkrYLxJ4sFdUR7akSkt9o36d2ovKnUa
        bv6rPtmp+5VOTk2f6TQQzzHptDzTTcrwOLgofhNT4CG9YOGEaXw+tzEKPuRlTghO
        rKWfYQCgdo9opAvVIuA0oEPINwNyQoWzIZur8kxyh1pOV2Oi6sf3jVJovI1PJRmH
        KkBW8JVbhF/2A4GEAAKBgH3t9fSQFOdQA04MljA+axvEwzvVVu4j0BLKKaJ5sVMa
        /q6fHXpGjtMmYyg2KLqZKt2U657GDMQFDIyKbDi39WzdYYe5eSeLspmOL3AWLY2h
        B6DE5qUKcZ0nbhtIgJZN2MbZziqdH7bIZLHGZ78XfmTSNIQvr65oWy4np0OBW9Nc
        o1MwUTAdBgNVHQ4EFgQUFtIgAEKq89n478hTrTR92M4z0lwwHwYDVR0jBBgwFoAU
        FtIgAEKq89n478hTrTR92M4z0lwwDwYDVR0TAQH/BAUwAwEB/zALBglghkgBZQME
        AwIDQAAwPQIdAJUjsXmbSZA+hZln/vxCCK5bpBHANbkZR2KcU+UCHEuaoNl1RIKc
        m0BIj4QtpKd5/uVt9NV2q+qAzpg=
        -----END CERTIFICATE-----
        """;

    /// <param name="from">In days from now.</param>
    /// <param name="until">In days from now.</param>
    public static SomeCertificate Make(int from = -1, int until = 30)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        return Make(request, key, from, until);
    }

    /// <summary>Of a key that is so short that TLS refuses it, whoever connects.</summary>
    public static SomeCertificate MakeShort()
    {
        using var key = RSA.Create(512);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return Make(request, key, -1, 30);
    }

    public string EncryptedKey()
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(Key);
        return key.ExportEncryptedPkcs8PrivateKeyPem(
            "secret", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1));
    }

    private static SomeCertificate Make(CertificateRequest request, AsymmetricAlgorithm key, int from, int until)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(from), now.AddDays(until));
        return new SomeCertificate(
            certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem(), certificate.Thumbprint);
    }

    public void WriteTo(TemporaryDirectory directory)
    {
        File.WriteAllText(directory.File("cert.pem"), Cert);
        File.WriteAllText(directory.File("key.pem"), Key);
    }
}
